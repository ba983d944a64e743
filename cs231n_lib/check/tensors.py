"""PyTorch tensors as plain data: what of a tensor crosses between a student's code and the judge.

`wire` must not import torch, which costs seconds; this module says what a tensor is made of and imports torch only
where one has to be made again, on the student's side.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """A tensor by value, as the judge sees one that came back, and as it sends one.

    values : array; of float32 where NumPy has no such dtype (bfloat16), of zeros on the device "meta", which has none
    dtype : torch's name for it, such as "bfloat16";  device : such as "cpu", "cuda:0", "meta"
    leaf : not computed from others, so that `backward` leaves a gradient in it
    handle : of the tensor itself on the student's side, where it has requires_grad: gradients are sent back through it
    """

    values: np.ndarray
    dtype: str = "float32"
    device: str = "cpu"
    requires_grad: bool = False
    leaf: bool = True
    handle: Any = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"torch tensor of {self.dtype}"


def is_tensor(value: Any) -> bool:
    """True for a torch tensor. Where nobody has imported torch there are none."""
    return isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ()))


def by_value(tensor: Any) -> Tensor:
    """Return what a torch tensor holds. Raises RuntimeError or TypeError for one that has no dense values."""
    device, dtype = str(tensor.device), str(tensor.dtype).removeprefix("torch.")
    plain = tensor.detach()
    if device == "meta":
        values = np.zeros(tuple(plain.shape), np.float32)
    else:
        plain = plain.to("cpu").resolve_conj().resolve_neg()
        plain = plain if dtype in HAS_NUMPY else plain.float()
        values = np.array(plain.numpy())
    return Tensor(values, dtype, device, bool(tensor.requires_grad), bool(tensor.is_leaf))


HAS_NUMPY = {"float16", "float32", "float64", "complex64", "complex128", "bool"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def revive(sent: Tensor) -> Any:
    """Return a torch tensor with these values, a leaf of its own."""
    import torch

    made = torch.from_numpy(np.array(sent.values)).to(device=sent.device, dtype=getattr(torch, sent.dtype))
    return made.requires_grad_(sent.requires_grad)
