"""Planted bugs of N11: the net of bare tensors, fresh parameters, and the step by hand."""

import torch
from torch.nn import functional

from tests.mutants import bug

NET = "torch-three_layer_convnet"


def net(x, params, *, pads=None, first=torch.relu, second=torch.relu, last=lambda s: s, biases=(1, 1, 1), cut=None):
    """The right net, unless an option asks for a mistake."""
    w1, b1, w2, b2, w3, b3 = params
    pads = pads or (w1.shape[2] // 2, w2.shape[2] // 2)
    maps = first(functional.conv2d(x, w1, b1 * biases[0], padding=pads[0]))
    maps = cut(maps) if cut else maps
    maps = second(functional.conv2d(maps, w2, b2 * biases[1], padding=pads[1]))
    return last(maps.flatten(1) @ w3 + b3 * biases[2])


def planted(name, symptom, **mistake):
    def wrong(x, params):
        return net(x, params, **mistake)

    wrong.__name__ = name
    bug(NET, symptom=symptom)(wrong)


planted("no_padding", "flat-size", pads=(0, 0))
planted("padding_of_the_slides", "flat-size", pads=(2, 1))
planted("no_first_relu", "no-relu", first=lambda maps: maps)
planted("no_second_relu", "no-relu", second=lambda maps: maps)
planted("relu_on_scores", "relu-on-scores", last=torch.relu)
planted("softmax_inside", "softmax-twice", last=lambda s: s.softmax(dim=1))
planted("log_softmax_inside", "softmax-twice", last=lambda s: s.log_softmax(dim=1))
planted("no_first_bias", "no-bias", biases=(0, 1, 1))
planted("no_second_bias", "no-bias", biases=(1, 0, 1))
planted("no_last_bias", "no-bias", biases=(1, 1, 0))
planted("detached_scores", "cut-graph", last=lambda s: s.detach())
planted("array_of_scores", "not-tensor", last=lambda s: s.detach().numpy())
planted("float_scores", "dtype", last=lambda s: s.float())
planted("cut_in_the_middle", "cut-graph", cut=lambda maps: maps.detach())
planted("labels_instead", "shape", last=lambda s: s.argmax(dim=1))


@bug(NET, symptom="flat-order")
def channels_last_rows(x, params):
    w1, b1, w2, b2, w3, b3 = params
    maps = functional.conv2d(x, w1, b1, padding="same").relu()
    maps = functional.conv2d(maps, w2, b2, padding="same").relu()
    return maps.permute(0, 2, 3, 1).flatten(1) @ w3 + b3


@bug(NET, symptom="fixed-dtype")
def casts_to_float32(x, params):
    return net(x.float(), params)


@bug(NET, symptom="mutates")
def centres_in_place(x, params):
    scores = net(x, params)
    x -= x.mean()
    return scores


@bug(NET, symptom="no-return")
def no_return(x, params):
    net(x, params)


@bug("torch-sgd_step", symptom="not-cleared")
def never_clears(loss, params, *, learning_rate):
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= learning_rate * p.grad
    return loss.item()


@bug("torch-sgd_step", symptom="outside-no_grad")
def records_the_update(loss, params, *, learning_rate):
    loss.backward()
    for p in params:
        p -= learning_rate * p.grad
        p.grad = None
    return loss.item()


@bug("torch-sgd_step", symptom="no-update")
def makes_new_tensors(loss, params, *, learning_rate):
    loss.backward()
    for p in params:
        p = p - learning_rate * p.grad
    return loss.item()


@bug("torch-sgd_step", symptom="ascends")
def goes_up(loss, params, *, learning_rate):
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, g in zip(params, grads, strict=True):
            p += learning_rate * g
    return loss.item()


@bug("torch-sgd_step", symptom="no-rate")
def full_step(loss, params, *, learning_rate):
    for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
        p.data -= g
    return loss.item()


@bug("torch-sgd_step", symptom="backward-twice")
def backward_for_each(loss, params, *, learning_rate):
    for p in params:
        loss.backward()
        p.data -= learning_rate * p.grad
    return loss.item()


@bug("torch-sgd_step", symptom="tensor-loss")
def keeps_the_graph(loss, params, *, learning_rate):
    for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
        p.data -= learning_rate * g
    return loss


@bug("torch-sgd_step", symptom="no-return")
def says_nothing(loss, params, *, learning_rate):
    for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
        p.data -= learning_rate * g


@bug("torch-sgd_step", symptom="values")
def wrong_loss(loss, params, *, learning_rate):
    for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
        p.data -= learning_rate * g
    return loss.item() * learning_rate


INIT = "torch-init_params"


def draw(
    shapes,
    *,
    seed,
    device="cpu",
    dtype=torch.float32,
    spread=lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
    normal=torch.randn,
    bias=torch.zeros,
    finish=None,
    generators=None,
):
    """The right parameters, unless an option asks for a mistake."""
    generator, params = torch.Generator().manual_seed(seed), []
    for shape in shapes:
        generator = generators(seed) if generators else generator
        fan_in = shape[0] if len(shape) == 2 else torch.Size(shape[1:]).numel()
        fan_out = shape[1] if len(shape) == 2 else shape[0]
        weight = len(shape) > 1
        values = normal(shape, generator=generator) * spread(fan_in, fan_out) if weight else bias(shape)
        params.append(finish(values, device, dtype) if finish else values.to(device, dtype).requires_grad_())
    return params


def planted_init(name, symptom, **mistake):
    def wrong(shapes, *, seed, device="cpu", dtype=torch.float32):
        return draw(shapes, seed=seed, device=device, dtype=dtype, **mistake)

    wrong.__name__ = name
    bug(INIT, symptom=symptom)(wrong)


planted_init("glorot_of_inputs", "no-gain", spread=lambda n, m: (1 / n) ** 0.5)
planted_init("by_outputs", "fan-out", spread=lambda n, m: (2 / m) ** 0.5)
planted_init("variance_as_spread", "variance", spread=lambda n, m: 2 / n)
planted_init("default_of_pytorch", "default", spread=lambda n, m: (1 / (3 * n)) ** 0.5)
planted_init("hundredth", "spread", spread=lambda n, m: 0.01)
planted_init("only_positive", "mean", normal=torch.rand)
planted_init("uniform", "uniform", normal=lambda s, generator: (torch.rand(s, generator=generator) - 0.5) * 12**0.5)
planted_init("biases_not_zero", "bias", bias=lambda shape: torch.full(shape, 0.01))
planted_init("no_gradients_asked", "no-requires_grad", finish=lambda v, device, dtype: v.to(device, dtype))
planted_init("moved_last", "not-leaf", finish=lambda v, device, dtype: v.requires_grad_().to(device, dtype))
planted_init("on_the_cpu", "device", finish=lambda v, device, dtype: v.to(dtype).requires_grad_())
planted_init("always_float32", "dtype", finish=lambda v, device, dtype: v.to(device).requires_grad_())
planted_init("one_draw_for_all", "same-draws", generators=lambda seed: torch.Generator().manual_seed(seed))


def unseeded(seed):
    generator = torch.Generator()
    generator.seed()
    return generator


planted_init("never_seeded", "seed", generators=unseeded)


@bug(INIT, symptom="global-generator")
def seeds_everybody(shapes, *, seed, device="cpu", dtype=torch.float32):
    torch.manual_seed(seed)
    return draw(shapes, seed=seed, device=device, dtype=dtype, normal=lambda shape, generator: torch.randn(shape))


@bug(INIT, symptom="not-leaf")
def scaled_after(shapes, *, seed, device="cpu", dtype=torch.float32):
    first = draw(shapes, seed=seed, device=device, dtype=dtype, spread=lambda n, m: 1.0)
    sizes = [shape[0] if len(shape) == 2 else torch.Size(shape[1:]).numel() for shape in shapes]
    return [p * (2 / n) ** 0.5 for p, n in zip(first, sizes, strict=True)]


@bug(INIT, symptom="not-a-list")
def one_tensor(shapes, *, seed, device="cpu", dtype=torch.float32):
    return draw(shapes, seed=seed)[0]
