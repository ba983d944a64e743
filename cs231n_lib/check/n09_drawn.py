"""What is examined in N09: the numbers of one convolution, with drawn sizes."""

from .drawn import Draw, Numbers, Slip, drawn_question


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by counting the places of windows and the pixels they see."""
    kernel, stride, pad, filters = n["kernel"], n["stride"], n["pad"], n["filters"]
    rows, columns = (
        sum(1 for start in range(-pad, size + pad - kernel + 1) if (start + pad) % stride == 0)
        for size in (n["height"], n["width"])
    )
    taps = sum(1 for _ in range(n["channels"]) for _ in range(kernel) for _ in range(kernel))
    seen = {0}
    for _ in range(n["layers"]):
        seen = {place + offset for place in seen for offset in range(kernel)}
    return {
        "height": rows,
        "width": columns,
        "parameters": filters * (taps + 1),
        "multiply_adds": rows * columns * filters * taps,
        "reach": len(seen),
    }


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    kernel, stride, pad, filters, channels = (n[k] for k in ("kernel", "stride", "pad", "filters", "channels"))
    right = answer(n)
    places, weights = right["height"] * right["width"], filters * channels * kernel**2
    sizes = []
    for key in ("height", "width"):
        size = n[key]
        sizes += [
            Slip(key, "one-short", right[key] - 1, "n steps lead to n + 1 places, and padding stands on both sides."),
            Slip(key, "no-pad", (size - kernel) // stride + 1, "The padding is missing: it adds P on both sides."),
            Slip(key, "one-sided-pad", (size - kernel + pad) // stride + 1, "The padding stands on both sides: 2 P."),
            Slip(key, "no-stride", size - kernel + 2 * pad + 1, "The stride is missing: not every place is used."),
        ]
    return [
        *sizes,
        Slip("parameters", "no-bias", weights, "Each filter has a bias."),
        Slip("parameters", "one-channel", filters * (kernel**2 + 1), "A filter extends through all input channels."),
        Slip("parameters", "bias-per-channel", weights + channels, "A bias for each filter, not for each channel."),
        Slip("multiply_adds", "one-place", weights, "The filters are used again at every place."),
        Slip("multiply_adds", "one-filter", weights // filters * places, "Every filter computes a map of its own."),
        Slip("multiply_adds", "one-channel", weights // channels * places, "Each place reads all input channels."),
        Slip("multiply_adds", "input-places", weights * n["height"] * n["width"], "Count the places of the output."),
        Slip("reach", "times", kernel * n["layers"], "Neighbouring windows overlap: a layer adds K - 1, not K."),
        Slip("reach", "power", kernel ** n["layers"], "With stride 1 a layer adds K - 1 to what is seen."),
        Slip("reach", "no-start", n["layers"] * (kernel - 1), "Before the first layer a pixel sees one pixel: itself."),
    ]


@drawn_question(
    "conv-q1",
    points=0.5,
    title="one convolution",
    text="""
A convolution of {filters} filters of {kernel} x {kernel}, stride {stride} and padding {pad} gets images of {channels}
channels and {height} x {width} pixels.

- `height`, `width`: of its output
- `parameters`: how many numbers does it learn?
- `multiply_adds`: how many does it need for one image (the biases aside)?
- `reach`: how many pixels, along one axis, does a unit see after {layers} layers of {kernel} x {kernel} with stride 1?
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    kernel, stride, pad = d.one_of([5, 7]), d.one_of([2, 3]), d.one_of([2, 3])
    rows = d.one_of(range(9, 20))
    columns = rows + d.one_of(range(1, 9))
    return {
        "channels": d.one_of([3, 4, 6, 8, 12]),
        "height": (rows - 1) * stride + kernel - 2 * pad,
        "width": (columns - 1) * stride + kernel - 2 * pad,
        "filters": d.one_of(range(7, 60)),
        "kernel": kernel,
        "stride": stride,
        "pad": pad,
        "layers": d.one_of(range(4, 12)),
    }
