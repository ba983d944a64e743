"""What is examined in N09, last part: convolution along one axis with dilation and groups; a quiz on settings."""

import numpy as np

from .n09_oracle import any_of, close, places, refuses, run
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject


def conv1d(x: np.ndarray, w: np.ndarray, b: np.ndarray, **options: int) -> np.ndarray:
    """Return torch's one-dimensional convolution, float64 (N, F, L')."""
    import torch

    named = {"padding" if key == "pad" else key: value for key, value in options.items()}
    data, weight, bias = (torch.from_numpy(np.array(a, dtype=np.float64)) for a in (x, w, b))
    return torch.nn.functional.conv1d(data, weight, bias, **named).numpy()


def _slips(x: np.ndarray, w: np.ndarray, b: np.ndarray, options: dict, want: np.ndarray) -> list[Symptom]:
    c, groups = x.shape[1], options.get("groups", 1)
    symptoms = [
        Symptom("flipped", looks_like(conv1d(x, w[:, :, ::-1], b, **options)), "You turned the filter round."),
        Symptom("no-bias", looks_like(want - b[:, None]), "Filter f adds its bias b[f] at every place."),
        any_of(
            "bias-repeated",
            [looks_like(want + (n - 1) * b[:, None]) for n in (w.shape[1], w.shape[2], w[0].size) if n > 1],
            "Add b[f] once, after the sum.",
        ),
    ]
    if options.get("dilation", 1) > 1:
        dense = conv1d(x, w, b, **{**options, "dilation": 1})[:, :, : want.shape[2]]
        hint = "The taps are next to each other: with dilation d, tap k reads the pixel k * d further on."
        symptoms.append(Symptom("dilation-ignored", looks_like(dense), hint))
    if groups > 1:
        mixed = x.reshape(len(x), c // groups, groups, -1).swapaxes(1, 2).reshape(x.shape)
        order = np.argsort(np.arange(len(w)) % groups, kind="stable")
        turns = np.empty_like(want)
        turns[:, order] = conv1d(x, w[order], b[order], **options)
        first = conv1d(x[:, : c // groups], w, b, **{**options, "groups": 1})
        hint = "Groups are blocks of neighbours: the first F / groups filters see the first C / groups channels."
        symptoms += [
            any_of("groups-interleaved", [looks_like(conv1d(mixed, w, b, **options)), looks_like(turns)], hint),
            Symptom("groups-first", looks_like(first), f"All filters see the first block of channels. {hint}"),
        ]
    return symptoms


def examine_line(
    subject: Subject,
    rng: np.random.Generator,
    report: Report,
    *,
    channels: int,
    filters: int,
    kernel: int,
    outputs: int = 5,
    **options: int,
) -> None:
    """Require the output of one random layer; its row is long enough for `outputs` places."""
    stride, pad = options.get("stride", 1), options.get("pad", 0)
    dilation, groups = options.get("dilation", 1), options.get("groups", 1)
    reach = dilation * (kernel - 1) + 1
    length = (outputs - 1) * stride + reach - 2 * pad
    x = rng.normal(size=(2, channels, length))
    w, b = rng.normal(size=(filters, channels // groups, kernel)), rng.normal(size=filters) + 2
    want = conv1d(x, w, b, **options)
    asked = ", ".join(f"{key} {value}" for key, value in options.items()) or "no options"
    call = run(
        subject,
        report,
        f"x {x.shape}, w {w.shape}, {asked}:",
        x,
        w,
        b,
        hint="w has C / groups channels: take the block of x that belongs to the filter." if groups > 1 else "",
        symptom="groups-raises" if groups > 1 else "",
        **options,
    )
    report.untouched(call, ["x", "w", "b"])
    if isinstance(call.value, np.ndarray) and call.value.shape != want.shape:
        slips = {
            places(length, kernel, stride, pad): (
                "dilation-ignored",
                "A dilated kernel is dilation * (K - 1) + 1 long.",
            ),
            places(length, dilation * kernel, stride, pad): ("dilated-length", "There are only K - 1 gaps."),
            places(length, reach, stride, 0): ("pad-ignored", "The border of pad zeros makes x longer."),
            places(length + pad, reach, stride, 0): ("pad-once", "The border stands on both sides."),
            places(length, reach, 1, pad): ("stride-ignored", "The window visits every stride-th place only."),
        }
        for size, (symptom, hint) in slips.items():
            if call.value.shape == (2, filters, size):
                report.fail(
                    f"{asked}: out must have shape {want.shape}, got {call.value.shape}", hint=hint, symptom=symptom
                )
    got = report.array(call.value, want.shape, name="out")
    close(report, got, want, lambda: _slips(x, w, b, options, want), name=f"{asked}: out")


@exercise("conv-conv1d", points=3, title="one axis, dilation and groups")
def examine_conv1d(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("values"):
        examine_line(subject, rng, report, channels=3, filters=4, kernel=3)
        examine_line(subject, rng, report, channels=4, filters=2, kernel=5)
        examine_line(subject, rng, report, channels=2, filters=3, kernel=6, outputs=1)
    with report.stage("stride and pad"):
        examine_line(subject, rng, report, channels=3, filters=4, kernel=4, stride=3, pad=2)
    with report.stage("dilation"):
        for dilation in (2, 3):
            examine_line(subject, rng, report, channels=3, filters=2, kernel=3, dilation=dilation)
    with report.stage("groups"):
        examine_line(subject, rng, report, channels=6, filters=4, kernel=3, groups=2)
        examine_line(subject, rng, report, channels=4, filters=8, kernel=2, groups=4)
        examine_line(subject, rng, report, channels=5, filters=5, kernel=3, groups=5)
    with report.stage("all at once"):
        options = {"stride": 2, "pad": 3, "dilation": 2, "groups": 3}
        examine_line(subject, rng, report, channels=6, filters=9, kernel=4, **options)
    with report.stage("sizes that do not fit"):
        x, w, b = rng.normal(size=(2, 4, 8)), rng.normal(size=(6, 4, 3)), np.zeros(6)
        bad: list[tuple[dict, str]] = [({"stride": 2}, "floors"), ({"dilation": 4}, "kernel-too-large")]
        bad += [({"stride": 5, "dilation": 2}, "floors")]
        for options, symptom in bad:
            asked = ", ".join(f"{key} {value}" for key, value in options.items())
            hint = "The window must end exactly at the border: test the length it spans, dilation included."
            report.require(
                refuses(subject, x, w, b, **options),
                f"8 pixels, kernel 3, {asked} must raise ValueError",
                hint=hint,
                symptom=symptom,
            )
        for channels, filters, groups in ((4, 6, 4), (5, 6, 2)):
            x, w = rng.normal(size=(2, channels, 8)), rng.normal(size=(filters, channels // groups, 3))
            report.require(
                refuses(subject, x, w, np.zeros(filters), groups=groups),
                f"{channels} channels and {filters} filters in {groups} groups must raise ValueError",
                hint="groups must divide both the number of channels and the number of filters.",
                symptom="groups-do-not-divide",
            )


@exercise("conv-quiz", points=0.5, title="settings", visible_share=0.0)
def examine_quiz(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
