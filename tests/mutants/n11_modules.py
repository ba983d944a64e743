"""Planted bugs of N11: the module, its accuracy, the stack."""

import torch
from torch import nn

from tests.mutants import bug

MODULE = "torch-ThreeLayerConvNet"


class RightNet(nn.Module):
    """The right module; each bug below changes one method."""

    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        super().__init__()
        self.sizes = (in_channels, channel_1, channel_2, num_classes)
        self.conv1 = nn.Conv2d(in_channels, channel_1, 5, padding=2)
        self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)
        self.fc = nn.Linear(self.flat(channel_2, *image_size), num_classes)
        self.fill()

    def flat(self, channels, height, width):
        return channels * height * width

    def fill(self):
        for layer in (self.conv1, self.conv2, self.fc):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.fc(self.conv2(self.conv1(x).relu()).relu().flatten(1))


def planted(name, symptom, **methods):
    bug(MODULE, symptom=symptom)(type(name, (RightNet,), methods))


planted("HardCoded32", "layer-shape", flat=lambda self, c, h, w: c * 32 * 32)
planted("SquareImages", "layer-shape", flat=lambda self, c, h, w: c * h * h)
planted("DefaultInit", "spread", fill=lambda self: [nn.init.zeros_(m.bias) for m in (self.conv1, self.conv2, self.fc)])
planted("DefaultBias", "bias", fill=lambda self: [nn.init.kaiming_normal_(m.weight) for m in list(self.children())])
planted("NoFirstRelu", "no-relu", forward=lambda self, x: self.fc(self.conv2(self.conv1(x)).relu().flatten(1)))
planted("NoSecondRelu", "no-relu", forward=lambda self, x: self.fc(self.conv2(self.conv1(x).relu()).flatten(1)))
planted("SoftmaxInside", "softmax-twice", forward=lambda self, x: RightNet.forward(self, x).softmax(dim=1))
planted("ReluOnScores", "relu-on-scores", forward=lambda self, x: RightNet.forward(self, x).relu())
planted("DetachedScores", "cut-graph", forward=lambda self, x: RightNet.forward(self, x).detach())
planted("NothingReturned", "no-return", forward=lambda self, x: None)
planted("FixedDtype", "fixed-dtype", forward=lambda self, x: RightNet.forward(self, x.float()))


@bug(MODULE, symptom="flat-order")
class ChannelsLastRows(RightNet):
    def forward(self, x):
        return self.fc(self.conv2(self.conv1(x).relu()).relu().permute(0, 2, 3, 1).flatten(1))


@bug(MODULE, symptom="names")
class LayersInAList(nn.Module):
    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        super().__init__()
        right = RightNet(in_channels, channel_1, channel_2, num_classes, image_size=image_size)
        self.layers = [right.conv1, right.conv2, right.fc]

    def forward(self, x):
        first, second, last = self.layers
        return last(second(first(x).relu()).relu().flatten(1))


@bug(MODULE, symptom="names")
class LayersInForward(RightNet):
    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        super().__init__(in_channels, channel_1, channel_2, num_classes, image_size=image_size)
        del self.conv2

    def forward(self, x):
        second = nn.Conv2d(self.sizes[1], self.sizes[2], 3, padding=1)
        return self.fc(second(self.conv1(x).relu()).relu().flatten(1))


@bug(MODULE, symptom="names")
class OtherNames(nn.Module):
    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        super().__init__()
        self.net = RightNet(in_channels, channel_1, channel_2, num_classes, image_size=image_size)

    def forward(self, x):
        return self.net(x)


@bug(MODULE, symptom="no-super")
class NoSuper(nn.Module):
    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        self.conv1 = nn.Conv2d(in_channels, channel_1, 5, padding=2)


@bug(MODULE, symptom="layer-shape")
class NoPadding(nn.Module):
    def __init__(self, in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channel_1, 5)
        self.conv2 = nn.Conv2d(channel_1, channel_2, 3)
        self.fc = nn.Linear(channel_2 * (image_size[0] - 6) * (image_size[1] - 6), num_classes)

    def forward(self, x):
        return self.fc(self.conv2(self.conv1(x).relu()).relu().flatten(1))


@bug(MODULE, symptom="flat-size")
class NoPaddingRightSize(RightNet):
    def __init__(self, *sizes, image_size=(32, 32)):
        super().__init__(*sizes, image_size=image_size)
        self.conv1.padding = (0, 0)


@bug(MODULE, symptom="not-a-module")
def not_a_module(in_channels, channel_1, channel_2, num_classes, *, image_size=(32, 32)):
    return lambda x: x


ACCURACY = "torch-accuracy"


def measure(model, images, labels, batch_size, *, eval_mode=True, restore=True, record=False, reduce=None, step=None):
    """The right accuracy, unless an option asks for a mistake."""
    before, device = model.training, next(model.parameters()).device
    if eval_mode:
        model.eval()
    right, shares = 0, []
    with torch.set_grad_enabled(record):
        for i in range(0, *(step or (lambda n, size: (n, size)))(len(images), batch_size)):
            hits = (model(images[i : i + batch_size].to(device)).argmax(1).cpu() == labels[i : i + batch_size]).float()
            right, shares = right + hits.sum().item(), [*shares, hits.mean().item()]
    if restore:
        model.train(before)
    return reduce(right, shares, len(labels)) if reduce else right / len(labels)


def planted_accuracy(name, symptom, **mistake):
    def wrong(model, images, labels, *, batch_size=250):
        return measure(model, images, labels, batch_size, **mistake)

    wrong.__name__ = name
    bug(ACCURACY, symptom=symptom)(wrong)


planted_accuracy("train_mode", "no-eval", eval_mode=False)
planted_accuracy("left_in_eval_mode", "mode", restore=False)
planted_accuracy("recorded", "graph", record=True)
planted_accuracy("mean_of_batches", "mean-of-batches", reduce=lambda right, shares, n: sum(shares) / len(shares))
planted_accuracy("percent", "percent", reduce=lambda right, shares, n: 100 * right / n)
planted_accuracy("count", "count", reduce=lambda right, shares, n: right)
planted_accuracy("tensor", "not-a-number", reduce=lambda right, shares, n: torch.tensor(right / n))
planted_accuracy("last_batch_dropped", "last-batch", step=lambda n, size: (n - size + 1, size))


@bug(ACCURACY, symptom="one-batch")
def all_at_once(model, images, labels, *, batch_size=250):
    return measure(model, images, labels, len(images))


@bug(ACCURACY, symptom="device")
def stays_on_the_cpu(model, images, labels, *, batch_size=250):
    before, right = model.training, 0
    model.eval()
    with torch.no_grad():
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            x.to(next(model.parameters()).device)
            right += (model(x).argmax(dim=1) == y).sum().item()
    model.train(before)
    return right / len(labels)


STACK = "torch-sequential"


def pile(
    in_channels,
    channels,
    num_classes,
    *,
    image_size,
    block=lambda c, n, r, p: [c, n, r, p],
    pool=nn.MaxPool2d,
    end=(),
    shrink=2,
    kernel=3,
    container=nn.Sequential,
    cut=lambda size, blocks: (size[0] // 2**blocks) * (size[1] // 2**blocks),
):
    """The right stack, unless an option asks for a mistake."""
    layers, depth = [], in_channels
    for width in channels:
        conv = nn.Conv2d(depth, width, kernel, padding=kernel // 2)
        layers += block(conv, nn.BatchNorm2d(width), nn.ReLU(), pool(shrink))
        depth = width
    layers += [nn.Flatten(), nn.Linear(depth * cut(image_size, len(channels)), num_classes), *end]
    return container(*layers)


def planted_stack(name, symptom, **mistake):
    def wrong(in_channels, channels, num_classes, *, image_size=(32, 32)):
        return pile(in_channels, channels, num_classes, image_size=image_size, **mistake)

    wrong.__name__ = name
    bug(STACK, symptom=symptom)(wrong)


planted_stack("relu_before_norm", "order", block=lambda c, n, r, p: [c, r, n, p])
planted_stack("no_relu", "no-relu", block=lambda c, n, r, p: [c, n, p])
planted_stack("no_norm", "layers", block=lambda c, n, r, p: [c, r, p])
planted_stack("norm_before_conv", "layers", block=lambda c, n, r, p: [nn.BatchNorm2d(c.in_channels), c, r, p])
planted_stack("average_pool", "average-pool", pool=nn.AvgPool2d)
planted_stack("softmax_at_the_end", "softmax-twice", end=(nn.Softmax(dim=1),))
planted_stack("no_pool_counted", "layers", cut=lambda size, blocks: size[0] * size[1])
planted_stack("pool_not_there", "flat-size", block=lambda c, n, r, p: [c, n, r])
planted_stack("square_images", "layers", cut=lambda size, blocks: (size[0] // 2**blocks) ** 2)
planted_stack("wide_filters", "layers", kernel=5)
planted_stack("a_list", "not-a-module", container=lambda *layers: list(layers))
planted_stack("a_module_list", "kind", container=lambda *layers: nn.ModuleList(layers))
