"""Right answers to N11 as hardly anybody would write them."""

import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.alternates import UNUSUAL, unusual

UNUSUAL += [("torch-quiz", ["g", "B", "F"]), ("torch-quiz", np.array(["F", "G", "B"]))]
UNUSUAL += [
    (
        "torch-audit",
        {
            "lenet_parameters": np.int64(61706),
            "alexnet_parameters": 61100840.0,
            "alexnet_dense_share": 0.9596,
            "alexnet_megabytes": 244.4,
        },
    )
]


@unusual("torch-three_layer_convnet")
def by_windows_and_einsum(x, params):
    def convolve(x, w, b):
        k = w.shape[-1]
        windows = functional.pad(x, 4 * [k // 2]).unfold(2, k, 1).unfold(3, k, 1)
        return torch.einsum("nchwij,fcij->nfhw", windows, w) + b[:, None, None]

    hidden = torch.clamp(convolve(x, *params[:2]), min=0)
    hidden = torch.maximum(convolve(hidden, *params[2:4]), torch.zeros((), dtype=x.dtype))
    return torch.addmm(params[5], hidden.reshape(len(x), -1), params[4])


@unusual("torch-three_layer_convnet")
def same_padding_in_place_relu(x, params):
    hidden = functional.relu_(functional.conv2d(x, params[0], params[1], padding="same"))
    hidden = functional.conv2d(hidden, weight=params[2], bias=params[3], padding="same").clamp_(min=0)
    return functional.linear(hidden.flatten(1), params[4].T, params[5])


@unusual("torch-init_params")
def by_list_and_moves(shapes, *, seed, device="cpu", dtype=torch.float32):
    g = torch.Generator(device="cpu")
    g.manual_seed(seed)

    def one(shape):
        if len(shape) == 1:
            return torch.zeros(shape, device=device, dtype=dtype, requires_grad=True)
        n = shape[0] if len(shape) == 2 else shape[1] * shape[2] * shape[3]
        drawn = torch.empty(shape, dtype=torch.float64).normal_(0, np.sqrt(2 / n), generator=g)
        return nn.Parameter(drawn.to(dtype).to(device))

    return tuple(one(shape) for shape in shapes)


@unusual("torch-init_params")
def by_numpy(shapes, *, seed, device="cpu", dtype=torch.float32):
    rng, made = np.random.default_rng(seed), []
    for shape in shapes:
        n = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        values = rng.normal(size=shape) * (2 / n) ** 0.5 if len(shape) > 1 else np.zeros(shape)
        made.append(torch.tensor(values, dtype=dtype, device=device, requires_grad=True))
    return made


@unusual("torch-sgd_step")
def by_autograd_grad(loss, params, *, learning_rate):
    grads = torch.autograd.grad(loss, params, allow_unused=True)
    for p, g in zip(params, grads, strict=True):
        if g is not None:
            p.data = p.data - learning_rate * g
    return float(loss.detach())


@unusual("torch-sgd_step")
@torch.no_grad()
def clears_first(loss, params, *, learning_rate):
    for p in params:
        p.grad = None
    with torch.enable_grad():
        loss.backward()
    for p in filter(lambda p: p.grad is not None, params):
        p.add_(p.grad, alpha=-learning_rate)
    return loss.numpy().item() if not loss.requires_grad else loss.item()


@unusual("torch-sgd_step")
def by_the_optimizer(loss, params, *, learning_rate):
    optimizer = torch.optim.SGD(params, lr=learning_rate)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return np.float64(loss.item())


@unusual("torch-ThreeLayerConvNet")
class WithParametersOfItsOwn(nn.Module):
    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        nn.Module.__init__(self)
        sizes = {"conv1": (channel_1, in_channels, 5, 5), "conv2": (channel_2, channel_1, 3, 3)}
        sizes["fc"] = (num_classes, channel_2 * image_size[0] * image_size[1])
        for name, shape in sizes.items():
            layer = nn.Module()
            layer.weight = nn.Parameter(torch.randn(shape) * (2 / np.prod(shape[1:])) ** 0.5)
            layer.bias = nn.Parameter(torch.zeros(shape[0]))
            self.add_module(name, layer)

    def forward(self, x):
        for layer in (self.conv1, self.conv2):
            x = functional.relu(functional.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2))
        return x.view(len(x), -1) @ self.fc.weight.T + self.fc.bias


@unusual("torch-accuracy")
@torch.inference_mode()
def by_a_loader(model, images, labels, *, batch_size=250):
    from torch.utils.data import DataLoader, TensorDataset

    modes = [(module, module.training) for module in model.modules()]
    model.train(False)
    device = next(iter(model.state_dict().values())).device
    found = [model(x.to(device)).max(dim=1).indices.to(y.device).eq(y) for x, y in
             DataLoader(TensorDataset(images, labels), batch_size=batch_size)]  # fmt: skip
    for module, training in modes:
        module.training = training
    return np.mean(torch.cat(found).numpy())


@unusual("torch-accuracy")
def one_by_one(model, images, labels, *, batch_size=250):
    before = model.training
    device = {p.device for p in model.parameters()}.pop()
    wrong = len(labels)
    try:
        model.eval()
        for x, y in zip(images, labels, strict=True):
            with torch.no_grad():
                wrong -= int(model(x[None].to(device)).argmax()) == int(y)
    finally:
        model.train(before)
    return 1 - wrong / len(labels)


@unusual("torch-sequential")
def by_append(in_channels, channels, num_classes, *, image_size=(32, 32)):
    net = nn.Sequential()
    for i, (a, b) in enumerate(zip((in_channels, *channels), channels, strict=False)):
        net.add_module(f"conv{i}", nn.Conv2d(a, b, (3, 3), stride=1, padding="same"))
        net.add_module(f"norm{i}", nn.BatchNorm2d(b))
        net.add_module(f"pool{i}", nn.MaxPool2d(2, stride=2))  # a maximum and a ReLU change places freely
        net.add_module(f"relu{i}", nn.ReLU(inplace=True))
    net.append(nn.Flatten())
    net.append(nn.Linear(channels[-1] * image_size[0] * image_size[1] // 4 ** len(channels), num_classes))
    return net


@unusual("torch-sequential")
def blocks_in_blocks(in_channels, channels, num_classes, *, image_size=(32, 32)):
    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))

    blocks = [block(a, b) for a, b in zip((in_channels, *channels[:-1]), channels, strict=True)]
    with torch.no_grad():
        width = nn.Sequential(*blocks).eval()(torch.zeros(1, in_channels, *image_size)).numel()
    return nn.Sequential(*blocks, nn.Sequential(nn.Flatten(), nn.Linear(width, num_classes)))


@unusual("torch-with_gradients")
def by_grad_function(function, arrays, dout):
    inputs = [torch.tensor(a, requires_grad=np.issubdtype(a.dtype, np.floating)) for a in arrays]
    out = function(*inputs)
    floats = [t for t in inputs if t.requires_grad]
    found = iter(torch.autograd.grad((out * torch.as_tensor(dout)).sum(), floats))
    return out.detach().cpu().numpy(), [next(found).numpy() if t.requires_grad else None for t in inputs]


@unusual("torch-conv_twin")
def by_modules(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    axes = w.ndim - 2
    s, p, d = (np.broadcast_to(v, axes) for v in (stride, pad, dilation))
    left = np.array(x.shape[2:]) + 2 * p - d * (np.array(w.shape[2:]) - 1) - 1
    if (left < 0).any() or (left % s).any():
        raise ValueError(f"left over: {left}")
    kind = [nn.Conv1d, nn.Conv2d, nn.Conv3d][axes - 1]
    sizes = {k: tuple(int(n) for n in v) for k, v in (("stride", s), ("padding", p), ("dilation", d))}
    layer = kind(x.shape[1], len(w), tuple(w.shape[2:]), groups=groups, **sizes, device="meta")
    return torch.func.functional_call(layer, {"weight": w, "bias": b}, (x,))


@unusual("torch-conv_twin")
def padded_first(x, w, b, *, stride=1, pad=0, dilation=1, groups=1):
    axes = x.ndim - 2
    pad = pad if isinstance(pad, tuple) else axes * (pad,)
    x = functional.pad(x, [n for side in reversed(pad) for n in (side, side)])
    stride = stride if isinstance(stride, tuple) else axes * (stride,)
    dilation = dilation if isinstance(dilation, tuple) else axes * (dilation,)
    for n, k, step, gap in zip(x.shape[2:], w.shape[2:], stride, dilation, strict=True):
        if n < gap * (k - 1) + 1 or (n - gap * (k - 1) - 1) % step:
            raise ValueError("does not fit")
    convolve = getattr(functional, f"conv{axes}d")
    return convolve(x, w, b, stride=stride, dilation=dilation, groups=groups)


@unusual("torch-pick_device")
def by_name(available):
    return "cuda:0" if available("cuda") else "mps" if available("mps") else "cpu"


@unusual("torch-images_per_second")
def median_of_single_steps(step, batch_size, *, synchronize, clock=time.perf_counter, warmup=3, repeats=10):
    times = []
    for i in range(warmup + repeats):
        synchronize()
        start = clock()
        step()
        synchronize()
        if i >= warmup:
            times.append(clock() - start)
    return batch_size / statistics.median(times)


@unusual("torch-autocast_scores")
def copies_of_the_weights(model, x, *, dtype=torch.bfloat16):
    half = {name: p.to(dtype) for name, p in model.state_dict().items()}
    return torch.func.functional_call(model, half, (x.to(dtype),)).to(torch.float32)


@unusual("torch-autocast_scores")
@torch.no_grad()
def by_decorator(model, x, *, dtype=torch.bfloat16):
    return torch.autocast(device_type=str(x.device).partition(":")[0], dtype=dtype)(model)(x).to(x.dtype)


@unusual("torch-train_and_score")
def without_an_optimizer(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
    rows = [i.moveaxis(-1, 1).contiguous().view(len(i), -1).float().div(255) for i in (images, new_images)]
    net.to(device)
    net.requires_grad_(True).train(True)
    for step in range(epochs * -(-len(images) // batch_size)):
        at = step * batch_size % len(images)
        x, y = (t[at : at + batch_size].to(device) for t in (rows[0], labels))
        loss = -functional.log_softmax(net(x), dim=1).gather(1, y[:, None]).mean()
        for p, g in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True):
            with torch.no_grad():
                p.sub_(learning_rate * g)
    net.train(False)
    return net(rows[1].to(device)).detach()


@unusual("torch-train_and_score")
def with_a_loader(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
    def to_rows(pictures):
        return torch.einsum("nhwc->nchw", pictures).to(device, torch.float32).reshape(len(pictures), -1) / 255.0

    net = net.to(device)
    optimizer = torch.optim.SGD(list(net.parameters()), lr=learning_rate, foreach=False)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=batch_size)
    net.train()
    for _ in range(epochs):
        for pictures, y in loader:
            nn.CrossEntropyLoss()(net(to_rows(pictures)), y.to(device)).backward()
            optimizer.step()
            net.zero_grad()
    with torch.inference_mode():
        return net.eval()(to_rows(new_images)).clone()
