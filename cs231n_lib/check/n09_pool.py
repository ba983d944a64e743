"""What is examined in N09: max pooling, forward and backward."""

from typing import Any

import numpy as np

from .n09_oracle import NOT_SQUARE, places, refuses, require_map, run, shape_slips, two, wrong_when_not_square
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

GRID = np.array([[[[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]]])  # the course notes' example


def max_pool(x: np.ndarray, window: tuple[int, int], stride: int) -> np.ndarray:
    """Return torch's max pooling of x, float64 (N, C, H', W')."""
    import torch

    return torch.nn.functional.max_pool2d(torch.from_numpy(np.array(x, dtype=np.float64)), window, stride).numpy()


def max_pool_gradient(dout: np.ndarray, x: np.ndarray, window: tuple[int, int], stride: int) -> np.ndarray:
    """Return torch's gradient, after a slope too small to matter has decided ties for the first in row-major order."""
    import torch

    slope = np.arange(x[0, 0].size).reshape(x.shape[2:]) * 1e-9
    leaf = torch.from_numpy(np.array(x, dtype=np.float64) - slope).requires_grad_()
    out = torch.nn.functional.max_pool2d(leaf, window, stride)
    return torch.autograd.grad(out, leaf, torch.from_numpy(np.array(dout, dtype=np.float64)))[0].numpy()


def random_maps(
    rng: np.random.Generator, *, window: tuple[int, int], stride: int, places_h_w: tuple[int, int] = (3, 4)
) -> np.ndarray:
    """Return float64 (2, 3, H, W) with all values different, on which windows fit exactly."""
    h, w = ((n - 1) * stride + k for n, k in zip(places_h_w, window, strict=True))
    return rng.permutation(2 * 3 * h * w).reshape(2, 3, h, w) / 7.0 - h


def _slips(x: np.ndarray, window: tuple[int, int], stride: int, want: np.ndarray) -> list[Symptom]:
    import torch

    maps = torch.from_numpy(np.array(x, dtype=np.float64))
    mean = torch.nn.functional.avg_pool2d(maps, window, stride).numpy()
    channels = np.broadcast_to(want.max(axis=1, keepdims=True), want.shape)
    dense = max_pool(x, window, 1)[:, :, : want.shape[2], : want.shape[3]]
    symptoms = [
        Symptom("mean", looks_like(mean), "This is the mean of each window: take the largest number."),
        Symptom("minimum", looks_like(-max_pool(-x, window, stride)), "This is the smallest number of each window."),
        Symptom(
            "over-channels", looks_like(channels), "Each channel is pooled on its own: take no maximum over axis 1."
        ),
        Symptom(
            "starts-at-zero",
            looks_like(np.maximum(want, 0)),
            "Where all numbers are negative you give 0, which is not among them: start from the window itself.",
        ),
    ]
    if want.shape[2] == want.shape[3]:
        hint = "The maps are transposed: out[n, c, i, j] belongs to the window i rows down and j columns to the right."
        symptoms.append(Symptom("swapped-hw", looks_like(want.swapaxes(2, 3)), hint))
    if stride > 1:
        hint = "Window i begins at row i * stride."
        symptoms.append(Symptom("stride-ignored", looks_like(dense), hint))
    return symptoms


def examine_maxima(
    subject: Subject,
    report: Report,
    x: np.ndarray,
    window: tuple[int, int],
    stride: int,
    *,
    hint: str = "",
    symptom: str = "",
) -> Any:
    """Require the pooled maps of x; `hint` and `symptom` name an exception. Returns the student's cache."""
    want = max_pool(x, window, stride)
    where = f"window {window[0]}x{window[1]}, stride {stride}:"
    options = {"pool_h": window[0], "pool_w": window[1], "stride": stride}
    call = run(subject, report, where, x, hint=hint, symptom=symptom, **options)
    report.untouched(call, ["x"])
    out, cache = two(call.value, report)
    slips = shape_slips(x.shape[2:], window, stride, 0)
    own = tuple(places(n, k, k, 0) for n, k in zip(x.shape[2:], window, strict=True))
    slips.insert(
        0, (own, "stride-is-window", "You move by the window's size: move by stride, and let windows overlap.")
    )
    got = require_map(out, want.shape, slips, report, kind="fi")
    symptoms = [*_slips(x, window, stride, want), *wrong_when_not_square(symptom)]
    report.equal(got, want.astype(got.dtype), name="out", symptoms=symptoms)
    return cache


@exercise("conv-pool_forward", points=3, title="max pooling, forward")
def examine_pool_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("4x4 to 2x2 by hand"):
        out, _ = two(run(subject, report, "", GRID, pool_h=2, pool_w=2, stride=2).value, report)
        want = np.array([[[[6.0, 8.0], [3.0, 4.0]]]])
        got = require_map(out, want.shape, shape_slips((4, 4), (2, 2), 2, 0), report, kind="fi")
        report.equal(got, want, name="out", symptoms=_slips(GRID, (2, 2), 2, want))
    with report.stage("values, input untouched"):
        examine_maxima(subject, report, random_maps(rng, window=(2, 2), stride=2, places_h_w=(3, 3)), (2, 2), 2)
    with report.stage("height is not width"):
        for window in ((2, 3), (3, 1)):
            x = random_maps(rng, window=window, stride=2)
            examine_maxima(subject, report, x, window, 2, hint=NOT_SQUARE, symptom="square-only")
    with report.stage("windows that overlap, windows with gaps"):
        for window, stride in (((3, 3), 2), ((3, 2), 1), ((2, 1), 3)):
            x = random_maps(rng, window=window, stride=stride)
            examine_maxima(subject, report, x, window, stride, symptom="stride-raises")
    with report.stage("all negative"):
        examine_maxima(subject, report, random_maps(rng, window=(2, 2), stride=2) - 100, (2, 2), 2)
    with report.stage("cache"):
        x = random_maps(rng, window=(3, 2), stride=2)
        cache = examine_maxima(subject, report, x, (3, 2), 2)
        kept = isinstance(cache, tuple | list) and len(cache) == 4 and isinstance(cache[0], np.ndarray)
        kept = kept and all(isinstance(size, int | np.integer) for size in cache[1:])
        report.require(
            kept and np.array_equal(cache[0], x) and tuple(cache[1:]) == (3, 2, 2),
            "cache must be the tuple (x, pool_h, pool_w, stride) as they were given",
            hint="The backward pass will get exactly this tuple.",
            symptom="cache",
        )
    with report.stage("sizes that do not fit"):
        for window, stride in (((2, 2), 2), ((3, 2), 3), ((1, 2), 4), ((8, 1), 1)):
            options = {"pool_h": window[0], "pool_w": window[1], "stride": stride}
            report.require(
                refuses(subject, rng.normal(size=(2, 3, 7, 7)), **options),
                f"7x7 pixels, window {window[0]}x{window[1]}, stride {stride} must raise ValueError",
                hint="Rounding down leaves pixels out without a word. A right conv_output_shape raises for you.",
                symptom="floors",
            )


def _require_dx(value: Any, x: np.ndarray, report: Report) -> np.ndarray:
    if isinstance(value, tuple | list) and len(value) == 1:
        report.fail("the result must be the array dx, got a tuple of one", symptom="tuple-of-one")
    whole = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    hint = "np.zeros_like(x) is a whole-number array when x is one, and cuts every gradient off. Ask for floats."
    report.require(not whole, "dx must have a float dtype", hint=hint, symptom="integer-gradient")
    return report.array(value, x.shape, name="dx")


def examine_routes(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    x: np.ndarray,
    window: tuple[int, int],
    stride: int,
    *,
    hint: str = "",
    symptom: str = "",
) -> None:
    """Require the gradient of max pooling for a random dout; `hint` and `symptom` name an exception or wrong values."""
    dout = rng.normal(size=max_pool(x, window, stride).shape)
    want = max_pool_gradient(dout, x, window, stride)
    where = f"window {window[0]}x{window[1]}, stride {stride}:"
    call = run(subject, report, where, dout, (x, *window, stride), hint=hint, symptom=symptom)
    got = _require_dx(call.value, x, report)
    symptoms = [Symptom(symptom, lambda v: True, hint)] if symptom else []
    report.close(got, want, name=f"{where} dx", symptoms=symptoms)


def _by_hand(
    subject: Subject,
    report: Report,
    x: list,
    window: tuple[int, int],
    stride: int,
    dout: list,
    want: list,
    slips: dict[str, tuple[list, str]],
) -> None:
    """Require dx of a small map; slips : symptom -> (the wrong dx, hint)."""
    grid, upstream = np.array(x, dtype=float)[None, None], np.array(dout, dtype=float)[None, None]
    got = _require_dx(run(subject, report, "", upstream, (grid, *window, stride)).value, grid, report)
    symptoms = [Symptom(name, looks_like([[wrong]]), hint) for name, (wrong, hint) in slips.items()]
    report.close(got, [[want]], name=f"x {x}, dout {dout}: dx", symptoms=symptoms)


FIRST_ONLY = "The course's rule: the first maximum in row-major order gets the whole gradient."


@exercise("conv-pool_backward", points=4, title="max pooling, backward")
def examine_pool_backward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    window = (2, 2)
    with report.stage("shape"):
        x = random_maps(rng, window=window, stride=2, places_h_w=(3, 3))
        dout = rng.normal(size=(2, 3, 3, 3))
        call = run(subject, report, "", dout, (x, 2, 2, 2))
        _require_dx(call.value, x, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["dout", "cache"])
    with report.stage("one window by hand"):
        to_all = "Only the pixel that was the maximum had a say: the others get 0."
        even = {
            "to-all": ([[8.0, 8.0], [8.0, 8.0]], to_all),
            "mean": ([[2.0, 2.0], [2.0, 2.0]], f"You spread the gradient, as for mean pooling. {to_all}"),
            "ones": ([[0.0, 0.0], [1.0, 0.0]], "Right place, but the gradient is dout, not 1."),
            "times-x": ([[0.0, 0.0], [72.0, 0.0]], "The maximum is passed on with slope 1: do not multiply by x."),
        }
        _by_hand(subject, report, [[3, 1], [9, 4]], window, 1, [[8]], [[0.0, 0.0], [8.0, 0.0]], even)
        lost = {"zero-maximum": ([[0.0, 0.0], [0.0, 0.0]], "The gradient is lost when the maximum is 0 or below.")}
        lost["to-all"] = ([[8.0, 8.0], [8.0, 8.0]], to_all)
        _by_hand(subject, report, [[-3, -1], [-9, -4]], window, 1, [[8]], [[0.0, 8.0], [0.0, 0.0]], lost)
        _by_hand(subject, report, [[-3, -1], [-9, 0]], window, 1, [[8]], [[0.0, 0.0], [0.0, 8.0]], lost)
    with report.stage("values"):
        examine_routes(subject, rng, report, x, window, 2)
    with report.stage("height is not width"):
        for window, stride in (((2, 3), 3), ((3, 1), 3), ((1, 3), 3)):
            x = random_maps(rng, window=window, stride=stride)
            examine_routes(subject, rng, report, x, window, stride, hint=NOT_SQUARE, symptom="square-only")
    with report.stage("windows that overlap"):
        overwrites = "9 is the maximum of three windows and gets the gradient of each: `+=`, not `=`."
        slips = {
            "overwrites": ([[0.0, 0.0, 100.0, 0.0, 0.0]], overwrites),
            "first-window": ([[0.0, 0.0, 1.0, 0.0, 0.0]], overwrites),
        }
        x_row, want = [[1, 2, 9, 3, 4]], [[0.0, 0.0, 111.0, 0.0, 0.0]]
        _by_hand(subject, report, x_row, (1, 3), 1, [[1, 10, 100]], want, slips)
        for window, stride in (((3, 3), 2), ((3, 2), 1)):
            examine_routes(subject, rng, report, random_maps(rng, window=window, stride=stride), window, stride)
    with report.stage("ties"):
        ties = {
            "ties-all": ([[0.0, 6.0], [6.0, 6.0]], f"Every maximum gets the full gradient: it has grown. {FIRST_ONLY}"),
            "ties-split": ([[0.0, 2.0], [2.0, 2.0]], f"You split the gradient. {FIRST_ONLY}"),
            "ties-last": ([[0.0, 0.0], [0.0, 6.0]], f"You take the last maximum. {FIRST_ONLY}"),
            "ties-column": ([[0.0, 0.0], [6.0, 0.0]], f"You take the first in column order. {FIRST_ONLY}"),
        }
        _by_hand(subject, report, [[4, 5], [5, 5]], (2, 2), 1, [[6]], [[0.0, 6.0], [0.0, 0.0]], ties)
        for window, stride in (((2, 3), 2), ((3, 3), 1)):
            x = random_maps(rng, window=window, stride=stride)
            x = rng.integers(0, 3, size=x.shape).astype(float)
            examine_routes(subject, rng, report, x, window, stride, hint=FIRST_ONLY, symptom="ties")
    with report.stage("maps of whole numbers"):
        x = rng.integers(-9, 10, size=(2, 3, 6, 4))
        examine_routes(subject, rng, report, x, (2, 2), 2)
