"""The layers and shapes that benchmarks/kernels.py measures, and the peers that it measures them against."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# name: x shape, filters, kernel, options. k5s2 is 63 wide, not 64: 64 does not tile, and both give 32 x 32 outputs.
EIGHT = {
    "fast3x3s2": ((100, 3, 31, 31), 25, 3, {"stride": 2, "pad": 1}),
    "cifar7x7": ((100, 3, 32, 32), 32, 7, {"pad": 3}),
    "c32f64k3": ((64, 32, 32, 32), 64, 3, {"pad": 1}),
    "c64f128k3": ((64, 64, 16, 16), 128, 3, {"pad": 1}),
    "c128k1": ((128, 128, 8, 8), 128, 1, {}),
    "k5s2": ((32, 3, 63, 63), 16, 5, {"stride": 2, "pad": 2}),
    "depthwise": ((64, 32, 32, 32), 32, 3, {"pad": 1, "groups": 32}),
    "dilated2": ((64, 32, 32, 32), 64, 3, {"pad": 2, "dilation": 2}),
}
MORE = {  # what students and networks use beside the eight: no cliff may hide here
    "k5": ((64, 3, 32, 32), 32, 5, {"pad": 2}),
    "c3k3": ((64, 3, 32, 32), 32, 3, {"pad": 1}),
    "first7x7s2": ((4, 3, 223, 223), 64, 7, {"stride": 2, "pad": 3}),
    "first11s4": ((4, 3, 227, 227), 64, 11, {"stride": 4}),
    "k1s2": ((64, 64, 31, 31), 128, 1, {"stride": 2}),
    "k1on4x4": ((64, 256, 4, 4), 256, 1, {}),
    "k3s2": ((64, 64, 31, 31), 128, 3, {"stride": 2, "pad": 1}),
    "k2s2": ((64, 16, 32, 32), 32, 2, {"stride": 2}),
    "patches16": ((8, 3, 224, 224), 192, 16, {"stride": 16}),
    "groups2": ((64, 32, 16, 16), 64, 3, {"pad": 1, "groups": 2}),
    "groups4": ((64, 32, 16, 16), 64, 3, {"pad": 1, "groups": 4}),
    "batch1": ((1, 32, 32, 32), 64, 3, {"pad": 1}),
    "batch4": ((4, 64, 16, 16), 64, 3, {"pad": 1}),
    "c512on8x8": ((32, 512, 8, 8), 512, 3, {"pad": 1}),
    "c16on16x16": ((64, 16, 16, 16), 32, 3, {"pad": 1}),
    "many4x4": ((2000, 16, 4, 4), 32, 3, {"pad": 1}),
    "depthwise5": ((32, 64, 28, 28), 64, 5, {"pad": 2, "groups": 64}),
    "depthwise_s2": ((32, 64, 31, 31), 64, 3, {"stride": 2, "pad": 1, "groups": 64}),
    "depthwise112": ((4, 32, 112, 112), 32, 3, {"pad": 1, "groups": 32}),
}
POOLS = {  # name: x shape, kind, window, stride
    "max2x2": ((64, 32, 32, 32), "max", 2, 2),
    "max3x3s2": ((64, 32, 33, 33), "max", 3, 2),
    "avg2x2": ((64, 32, 32, 32), "avg", 2, 2),
    "avg3x3s2": ((64, 32, 33, 33), "avg", 3, 2),
}
GROUPS = {"eight": list(EIGHT), "more": list(MORE), "pools": list(POOLS)}


class Pair(NamedTuple):
    forward: Callable
    backward: Callable

    def run(self, inputs, dout, options):
        """Return (out, gradient, ...)."""
        out, cache = self.forward(*inputs, **options)
        grads = self.backward(dout, cache)
        return (out, *grads) if isinstance(grads, tuple) else (out, grads)

    def takes(self, options) -> bool:
        """Tell whether the forward function has all these options: a student's own may lack groups."""
        return set(options) <= set(inspect.signature(self.forward).parameters)


def torch_pair(function) -> Pair:
    """Return torch's function and its autograd as a pair on NumPy arrays."""
    import torch

    def forward(*inputs, **options):
        tensors = [torch.from_numpy(a).requires_grad_() for a in inputs]
        if "pool_h" in options:
            options = {"kernel_size": options["pool_h"], "stride": options["stride"]}
        else:
            options = {"padding" if name == "pad" else name: value for name, value in options.items()}
        out = function(*tensors, **options)
        return out.detach().numpy(), (out, tensors)

    def backward(dout, cache):
        return tuple(g.numpy() for g in torch.autograd.grad(*cache, torch.from_numpy(dout)))

    return Pair(forward, backward)


def peers_of(name: str) -> tuple[dict[str, Pair], list[tuple[int, ...]], dict]:
    """Return the peers of a shape, the shapes of the layer's inputs, and its options."""
    import torch
    from methods import as_strided_conv

    from cs231n_lib import kernels

    if name in POOLS:
        x_shape, kind, window, stride = POOLS[name]
        forward, backward = (getattr(kernels, f"{kind}_pool_{way}_fast") for way in ("forward", "backward"))
        peer = torch_pair(getattr(torch.nn.functional, f"{kind}_pool2d"))
        options = {"pool_h": window, "pool_w": window, "stride": stride}
        return {"ours": Pair(forward, backward), "torch": peer}, [x_shape], options
    x_shape, filters, kernel, options = (EIGHT | MORE)[name]
    w_shape = (filters, x_shape[1] // options.get("groups", 1), kernel, kernel)
    peers = {
        "ours": Pair(kernels.conv_forward_fast, kernels.conv_backward_fast),
        "torch": torch_pair(torch.nn.functional.conv2d),
        "as_strided": Pair(as_strided_conv.conv_forward, as_strided_conv.conv_backward),
    }
    return peers, [x_shape, w_shape, (filters,)], options


def student_pair(where: str) -> Pair:
    """Load the functions that `my_conv.py:conv_forward` or `N10_convnet.ipynb:conv_forward_columns` names."""
    path, _, name = where.partition(":")
    if not Path(path).is_file() or "forward" not in name:
        raise SystemExit(f"kernels: --student must be FILE.py:NAME or FILE.ipynb:NAME, `forward` in NAME, got {where}")
    names = name, name.replace("forward", "backward")
    found = _notebook_definitions(Path(path)) if path.endswith(".ipynb") else _module(Path(path))
    missing = [n for n in names if n not in found]
    if missing:
        raise SystemExit(f"kernels: {path} must define {' and '.join(missing)}")
    return Pair(*(found[n] for n in names))


def _module(path: Path) -> dict:
    spec = importlib.util.spec_from_file_location("student", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def _notebook_definitions(path: Path) -> dict:
    """Run a notebook's imports, functions and classes, and none of its other statements."""
    space: dict = {"__name__": path.stem}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        lines = "".join(cell["source"]).splitlines()
        source = "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            print(
                f"kernels: a cell of {path.name} is left out: {error.msg}, line {error.lineno} of the cell", flush=True
            )
            continue
        kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
        tree.body = [node for node in tree.body if isinstance(node, kept)]
        exec(compile(tree, str(path), "exec"), space)
    return space
