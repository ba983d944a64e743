"""What is examined in N08: the forward pass of dropout, whose draws are the student's own and so are judged by law."""

import math

import numpy as np

from .n00_start import distinct_sizes
from .passes import keeps_something, pair
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

SPREAD = 5.0  # standard errors; a right answer is outside once in two million draws


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers of both signs with sizes in [0.5, 2]: out / x then tells what became of each entry."""
    return rng.uniform(0.5, 2.0, size=shape) * rng.choice([-1.0, 1.0], size=shape)


def uneven_keep(rng: np.random.Generator) -> float:
    """Return a probability well away from 0.5, where keep and drop could be mixed up without a trace."""
    return float(rng.choice([rng.uniform(0.2, 0.35), rng.uniform(0.65, 0.8)]))


def forward(subject: Subject, report: Report, x: np.ndarray, *, keep: float, train: bool, seed: int) -> np.ndarray:
    """Call the answer once, judge everything but the values, and return out."""
    call = subject.call(x, keep=keep, train=train, seed=seed)
    out, cache = pair(call.value, "out", "cache", report)
    out = report.array(out, x.shape, name="out")
    report.untouched(call, ["x"])
    report.require(
        not call.global_random,
        "your function draws from np.random's shared generator, or seeds it",
        hint="That changes the draws of everybody else's code. Make your own: np.random.default_rng(seed).",
        symptom="global-random",
    )
    keeps_something(cache, report)
    return out


@exercise("drop-forward", points=4, title="dropout, forward")
def examine_forward(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, h = distinct_sizes(rng, 3)
    with report.stage("shape, x and the shared generator untouched"):
        for shape in ((n, d), (2, d, h, 3)):
            forward(subject, report, away_from_zero(rng, shape), keep=0.7, train=True, seed=5)
    for shape in ((150, 170), (12, 23, 9, 11)):
        train_case(subject, rng, report, shape, uneven_keep(rng), name=f"{len(shape)} axes")
    with report.stage("a mask for each seed"):
        _examine_seeds(subject, rng, report)
    with report.stage("keep = 1 keeps all"):
        x = away_from_zero(rng, (n, d))
        report.close(forward(subject, report, x, keep=1.0, train=True, seed=3), x, name="out")
    with report.stage("test mode"):
        for shape in ((n, d), (2, d, h, 3)):
            quiet_case(subject, report, away_from_zero(rng, shape), uneven_keep(rng))
    with report.stage("float32, column order, zeros"):
        x = np.asfortranarray(away_from_zero(rng, (40, 30)).astype(np.float32))
        x[rng.random(size=x.shape) < 0.2] = 0.0
        out = forward(subject, report, x, keep=0.4, train=True, seed=8).astype(float)
        report.close(out, np.where(out != 0, x / 0.4, 0), rtol=1e-5, name="out")


def train_case(
    subject: Subject, rng: np.random.Generator, report: Report, shape: tuple[int, ...], keep: float, *, name: str
) -> None:
    """Judge train mode on one large array: the factor of each entry, how many are kept, and which."""
    x = away_from_zero(rng, shape)
    with report.stage(f"{name}: dropped or divided by keep"):
        out = forward(subject, report, x, keep=keep, train=True, seed=int(rng.integers(1, 10**6)))
        factor = out.astype(float) / x
        kept = factor != 0
        _judge_factor(subject, report, x, factor, keep)
    with report.stage(f"{name}: each entry on its own"):
        _judge_independence(report, x, kept)
    with report.stage(f"{name}: how many are kept"):
        error = math.sqrt(keep * (1 - keep) / x.size)
        share = float(kept.mean())
        report.require(
            abs(share - keep) <= SPREAD * error,
            f"with keep = {keep:.3f}, {100 * share:.1f} % of {x.size:,} entries were kept",
            hint="keep is the probability to stay: an entry stays where a uniform draw is below keep."
            if abs(share - 1 + keep) <= SPREAD * error
            else "Draw for each entry on its own, from the uniform distribution on [0, 1).",
            symptom="keep-is-drop" if abs(share - 1 + keep) <= SPREAD * error else "share",
        )


def _judge_factor(subject: Subject, report: Report, x: np.ndarray, factor: np.ndarray, keep: float) -> None:
    """Require each factor to be 0 or 1 / keep."""
    dropped = float((factor == 0).mean())
    if np.allclose(factor, 1.0):
        hint = "Nothing was dropped: in train mode an entry stays with probability keep only."
        report.fail("out is x itself in train mode", hint=hint, symptom="never-drops")
    kept = factor[factor != 0]
    value = float(kept[0]) if kept.size else 0.0
    message = f"an entry that stays must become x / keep, x times {1 / keep:.4g}; one came back as x times {value:.4g}"
    if kept.size and np.allclose(kept, 1.0):
        quiet, _ = pair(subject(x, keep=keep, train=False, seed=1), "out", "cache", report)
        if looks_like(keep * x)(np.asarray(quiet, dtype=float) if isinstance(quiet, np.ndarray) else np.zeros(0)):
            hint = "You multiply by keep at test time. Divide by keep in training instead, and leave test mode alone."
            report.fail(message, hint=hint, symptom="scales-at-test")
        hint = "Divide what stays by keep, so that the expected value of out is x."
        report.fail(message, hint=hint, symptom="not-scaled")
    if kept.size and np.allclose(kept, 1 / (1 - keep)):
        if abs(dropped - keep) < 0.05:
            hint = "keep is the probability to stay; you read it as PyTorch's p, the probability to drop."
            report.fail(message, hint=hint, symptom="keep-is-drop")
        report.fail(message, hint="Divide by keep, not by 1 - keep.", symptom="wrong-scale")
    if kept.size and np.allclose(kept, keep):
        report.fail(message, hint="Divide what stays by keep; you multiply by it.", symptom="multiplied")
    right = np.where(factor != 0, 1 / keep, 0.0)
    report.close(factor, right, rtol=1e-5, name="out / x", hint="Each entry of out is either 0 or x / keep.")


def _judge_independence(report: Report, x: np.ndarray, kept: np.ndarray) -> None:
    """Require neighbours along each axis to agree as often as independent draws do, and fates not to depend on x."""
    share = float(kept.mean())
    want = share**2 + (1 - share) ** 2
    agreement = [float((np.diff(kept.astype(int), axis=axis) == 0).mean()) for axis in range(x.ndim)]
    axis = int(np.argmax(np.abs(np.array(agreement) - want)))
    # Pairs overlap, which widens the spread a little: 8 rather than 5 standard errors of free pairs.
    if abs(agreement[axis] - want) > 8 * 0.5 / math.sqrt(x.size):
        report.fail(
            f"neighbours along axis {axis} share their fate in {100 * agreement[axis]:.0f} % of the cases; "
            f"independent draws do in {100 * want:.0f} %",
            hint="Draw a mask of x's whole shape, so that every example has one of its own."
            if axis == 0
            else "Draw a mask of x's whole shape: one number for each entry, not for a whole row or column.",
            symptom="one-mask-for-all" if axis == 0 else "blocks",
        )
    for name, chosen in (("positive", x > 0), ("large", np.abs(x) > 1.25)):
        gap = abs(float(kept[chosen].mean() - kept[~chosen].mean()))
        report.require(
            gap <= SPREAD * math.sqrt(share * (1 - share) * (1 / chosen.sum() + 1 / (~chosen).sum())),
            f"{name} entries are kept more or less often than the others",
            hint="Which entries stay is decided by draws alone, never by what x holds.",
            symptom="depends-on-x",
        )


def _examine_seeds(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    x = away_from_zero(rng, (15, 16))

    def kept(seed: int) -> np.ndarray:
        return forward(subject, report, x, keep=0.5, train=True, seed=seed) != 0

    seeds = [0, 1, *(int(s) for s in 2 + rng.choice(10**6, size=16, replace=False))]
    masks = [kept(seed) for seed in seeds]
    if all(np.array_equal(mask, masks[0]) for mask in masks):
        hint = "Make the generator from the seed that you are given: np.random.default_rng(seed)."
        report.fail("every seed gives the same mask", hint=hint, symptom="seed-ignored")
    for seed, mask in zip(seeds[:4], masks, strict=False):
        report.require(
            np.array_equal(kept(seed), mask),
            f"seed {seed} gave one mask, and another when it was called again",
            hint="Make a fresh np.random.default_rng(seed) in each call. Zero is a seed as well.",
            symptom="not-repeatable",
        )
    different = len({mask.tobytes() for mask in masks})
    report.require(
        different == len(masks),
        f"{len(masks)} seeds gave {different} masks only",
        hint="Use the whole seed, as it is.",
        symptom="seed-shared",
    )
    report.require(
        len({int(mask.sum()) for mask in masks}) > 1,
        f"exactly {int(masks[0].sum())} of {x.size} entries stay, whatever the seed",
        hint="Each entry has a draw of its own, so the number that stays varies; do not fix it beforehand.",
        symptom="exact-count",
    )


def quiet_case(subject: Subject, report: Report, x: np.ndarray, keep: float) -> None:
    """Judge test mode: out is x, whatever the seed is."""
    out = forward(subject, report, x, keep=keep, train=False, seed=4)
    symptoms = [
        Symptom("scales-at-test", looks_like(keep * x), "Train mode has divided by keep already: return x as it is."),
        Symptom("divides-at-test", looks_like(x / keep), "Dividing by keep belongs to train mode: return x as it is."),
        Symptom("drops-at-test", lambda got: bool((got == 0).any()), "In test mode nothing is dropped: look at train."),
    ]
    report.close(out, x, name="out", symptoms=symptoms)
