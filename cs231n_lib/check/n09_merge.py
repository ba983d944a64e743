"""What is examined in N09: two convolutions in a row, with nothing in between, are one."""

import numpy as np

from .n09_oracle import any_of
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject


def merged(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return torch's kernel that does what `first` and then `second` do, float64."""
    import torch

    a, b = (torch.from_numpy(np.array(k, dtype=np.float64))[None, None] for k in (first, second))
    return torch.nn.functional.conv_transpose2d(a, b)[0, 0].numpy()


def require_merged(subject: Subject, report: Report, first: np.ndarray, second: np.ndarray) -> None:
    """Require the merged kernel of two."""
    want = merged(first, second)
    call = subject.call(first, second)
    report.untouched(call, ["first", "second"])
    if isinstance(call.value, np.ndarray) and call.value.shape == first.shape and first.shape == second.shape:
        report.fail(
            f"the merged kernel must have shape {want.shape}, got {call.value.shape}",
            hint="Two windows of 3 in a row see 5 pixels: the merged kernel is larger than either.",
            symptom="too-small",
        )
    got = report.array(call.value, want.shape, kind="fi")
    turned = [merged(first[::-1, ::-1], second), merged(first, second[::-1, ::-1])]
    symptoms = [
        Symptom("flipped", looks_like(want[::-1, ::-1]), "The right numbers, turned by 180 degrees."),
        any_of(
            "one-flipped",
            [looks_like(v) for v in turned] + [looks_like(v[::-1, ::-1]) for v in turned],
            "One of the two kernels is turned round. The offsets add up: first[a] and second[b] meet at merged[a + b].",
        ),
        Symptom("sum-of-squares", looks_like(merged(first, first)), "Only the first kernel was used."),
    ]
    report.close(got, want, name="merged", symptoms=symptoms, hint="Every product first[a] * second[b] goes to a + b.")


@exercise("conv-merge", points=1, title="two convolutions in one")
def examine_merge(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("(1, 2) and (3, 4) by hand"):
        want = np.array([[3.0, 10.0, 8.0]])
        got = report.array(subject(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])), (1, 3), kind="fi")
        turned = [looks_like([[4.0, 11.0, 6.0]]), looks_like([[6.0, 11.0, 4.0]])]
        symptoms = [
            any_of("one-flipped", turned, "One kernel is turned round: first[a] and second[b] meet at merged[a + b]."),
            Symptom("overwritten", lambda v: bool(v[0, 1] in (4.0, 6.0)), "Two products meet at place 1: add them."),
        ]
        report.close(got, want, name="merged", symptoms=symptoms)
    with report.stage("3x3 and 3x3 make 5x5"):
        require_merged(subject, report, rng.normal(size=(3, 3)), rng.normal(size=(3, 3)))
    with report.stage("height is not width"):
        require_merged(subject, report, rng.normal(size=(2, 4)), rng.normal(size=(3, 5)))
