"""What is examined in N10: the matrix behind a convolution and the size of a ConvNet, with drawn numbers."""

from .drawn import Draw, Numbers, Slip, drawn_question


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right, by walking through the shapes of every layer."""
    size, filters, hidden = n["size"], n["filters"], n["hidden"]
    places = len([(i, j) for i in range(n["side"]) for j in range(n["side"])])  # "same" padding: one for each pixel
    rows = len([(c, i, j) for c in range(3) for i in range(size) for j in range(size)])
    pooled = len(range(0, n["side"], 2)) ** 2
    shapes = [(filters, rows), (filters,), (filters * pooled, hidden), (hidden,), (hidden, 10), (10,)]
    return {
        "rows": rows,
        "columns": n["images"] * places,
        "growth": rows * places / (3 * places),
        "parameters": sum(shape[0] * (shape[1] if len(shape) == 2 else 1) for shape in shapes),
    }


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    size, filters, hidden, side = n["size"], n["filters"], n["hidden"], n["side"]
    right, area = answer(n), side**2
    first, last = filters * (3 * size**2 + 1), 10 * (hidden + 1)
    flat = filters * area // 4
    return [
        Slip("rows", "one-channel", size**2, "A column holds the window of all three channels."),
        Slip("rows", "filters-too", 3 * size**2 * filters, "The filters stand in the other matrix of the product."),
        Slip("columns", "one-image", area, "These are the places of one image."),
        Slip("columns", "no-pad", n["images"] * (side - size + 1) ** 2, "With this padding no place is lost."),
        Slip("growth", "channels-too", 3 * size**2, "The image has three channels as well: they cancel."),
        Slip("growth", "one-axis", size, "Each pixel lies in that many windows along *each* axis."),
        Slip(
            "parameters",
            "no-pool",
            first + (filters * area + 1) * hidden + last,
            "Pooling leaves a quarter of the places for the hidden layer.",
        ),
        Slip(
            "parameters",
            "no-biases",
            filters * 3 * size**2 + flat * hidden + hidden * 10,
            "Filters, hidden units and classes have biases.",
        ),
        Slip("parameters", "one-channel", right["parameters"] - 2 * size**2 * filters, "A filter has three channels."),
        Slip("parameters", "pool-one-axis", first + (2 * flat + 1) * hidden + last, "Pooling halves both axes."),
    ]


@drawn_question(
    "fast-q1",
    points=0.5,
    title="the price of columns",
    text="""
A `ThreeLayerConvNet` for colour images of {side} x {side} pixels has {filters} filters of {size} x {size} (stride 1,
padded so that the size stays), 2 x 2 pooling, {hidden} hidden units and 10 classes. It gets a batch of {images} images.

- `rows`, `columns`: of the matrix that `im2col` makes of the batch
- `growth`: how many times as many numbers has that matrix as the batch itself?
- `parameters`: how many numbers does the net learn?
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    return {
        "side": d.one_of([16, 20, 24, 28, 36, 40, 48]),
        "filters": d.one_of(range(11, 64)),
        "size": d.one_of([3, 5, 7]),
        "hidden": d.one_of(range(50, 200, 10)),
        "images": d.one_of(range(12, 99)),
    }
