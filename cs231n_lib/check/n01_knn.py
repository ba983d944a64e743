"""What is examined in N01, second half: the vote, cross-validation, the choice of k, and two questions."""

import contextlib
from collections.abc import Sequence

import numpy as np

from .report import CheckFailed, Report, Symptom, looks_like
from .spec import exercise
from .spies import Fold, FoldSpy
from .subject import Call, StudentError, Subject


def ballot(
    rng: np.random.Generator, y_train: np.ndarray, nearest: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a distance matrix whose nearest neighbours carry given labels.

    y_train : int (Ntr,), with enough rows of each label
    nearest : for each test row, the labels of its neighbours, the nearest first
    Returns (dists (Nte, Ntr), index of the nearest row (Nte,), label of the farthest row (Nte,)).
    """
    dists, first, farthest = [], [], []
    for labels in nearest:
        free = list(rng.permutation(len(y_train)))
        order = []
        for label in labels:
            chosen = next(i for i in free if y_train[i] == label)
            free.remove(chosen)
            order.append(chosen)
        order += free
        row = np.empty(len(y_train))
        row[order] = np.cumsum(rng.uniform(0.5, 1.5, size=len(order)))
        dists.append(row)
        first.append(order[0])
        farthest.append(y_train[order[-1]])
    return np.array(dists), np.array(first), np.array(farthest)


@exercise("knn-predict_labels", points=6, title="the vote of the nearest")
def examine_predict_labels(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    y_train = rng.permutation(np.repeat(np.arange(10, 18), 6))
    winners = rng.permutation(np.arange(11, 18))
    others = np.where(winners == 17, 10, winners + 1)
    with report.stage("shape"):
        dists, first, farthest = ballot(rng, y_train, [[int(w), int(o)] for w, o in zip(winners, others, strict=True)])
        call = subject.call(dists, y_train)
        _require_labels(call.value, winners, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["dists", "y_train"])
    with report.stage("k = 1"):
        symptoms = [
            Symptom("index-not-label", looks_like(first), "These are the indices of the rows: look up their labels."),
            Symptom("farthest", looks_like(farthest), "These are the labels of the farthest rows: sort upwards."),
            Symptom("skips-nearest", looks_like(others), "You left out the nearest row: it counts."),
        ]
        report.equal(call.value, winners, name="the labels", symptoms=symptoms)
    with report.stage("majority of 5"):
        votes = []
        for w, o in zip(winners.tolist(), others.tolist(), strict=True):
            third, fourth = [label for label in range(10, 14) if label not in (w, o)][:2]
            votes.append([o, w, third, w, fourth, o, o])  # two of five, and a sixth or seventh vote would turn it
        dists, _, _ = ballot(rng, y_train, votes)
        got = _require_labels(subject(dists, y_train, 5), winners, report)
        symptoms = [
            Symptom("ignores-k", looks_like(others), "This is the label of the single nearest row: let k rows vote."),
            Symptom(
                "averaged",
                lambda v: bool(np.abs(v - np.mean([vote[:5] for vote in votes], axis=1)).max() < 1),
                "You averaged labels. A label is a name: 3 is not between 2 and 4. Count votes.",
            ),
        ]
        report.equal(got, winners, name="the labels", symptoms=symptoms)
    with report.stage("ties"):
        low, high = 12, 15
        votes = [[high, low, low, high, 10, 11], [low, high, high, low, 10, 11], [high, high, low, low, 10, 11]]
        dists, _, _ = ballot(rng, y_train, votes)
        got = _require_labels(subject(dists, y_train, 4), np.zeros(3), report)
        hint = "With two votes each, the smaller label wins, whichever is nearer."
        symptoms = [
            Symptom("tie-first-seen", looks_like([high, low, high]), f"You take the label met first. {hint}"),
            Symptom("tie-larger", looks_like([high] * 3), f"You take the larger label. {hint}"),
        ]
        report.equal(got, [low] * 3, name="the labels", symptoms=symptoms, hint=hint)
    with report.stage("k out of range"):
        for k in (len(y_train) + 1, 0, -1):
            report.require(
                subject.raises("ValueError", dists, y_train, k),
                f"k = {k} with {len(y_train)} training rows must raise ValueError",
                hint="There are no such neighbours. An answer all the same would hide a mistake of the caller.",
                symptom="k-too-large" if k > 0 else "k-too-small",
            )


def _require_labels(got: object, want: np.ndarray, report: Report) -> np.ndarray:
    if isinstance(got, np.ndarray) and got.shape == want.shape and got.dtype.kind == "f":
        report.fail(
            f"the labels must have an integer dtype, got {got.dtype}",
            hint="np.zeros makes floats unless told otherwise. Labels index things, so they must be integers.",
            symptom="float-labels",
        )
    return report.array(got, want.shape, kind="i", name="the labels")


@exercise("knn-cross_validate", points=6, title="cross-validation of any classifier")
def examine_cross_validate(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    validate(subject, rng, report, rows=20, folds=5, ks=[1, 3, 8])
    validate(subject, rng, report, rows=23, folds=5, ks=[2, 7], name="23 rows in 5 folds")
    validate(subject, rng, report, rows=17, folds=3, ks=[4, 1], name="17 rows in 3 folds")
    with report.stage("num_folds left out"):
        x = rng.normal(size=(30, 4))
        x[:, 0] = np.arange(30)
        spy = FoldSpy(x, rng.integers(0, 10, size=30), rng)
        _call_with_spy(subject, spy, [1], None, report)
        report.default(len(spy.folds), 5, "num_folds=5")


def validate(
    subject: Subject, rng: np.random.Generator, report: Report, *, rows: int, folds: int, ks: list[int], name: str = ""
) -> None:
    """Run a student's cross-validation with a spy for a classifier, and examine what the spy saw.

    name : makes all of it one stage of that name; without a name each step is a stage
    """

    def step(what: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if name else report.stage(what)

    x = rng.normal(size=(rows, 4))
    x[:, 0] = rng.permutation(rows)
    y = rng.integers(0, 10, size=rows)
    spy = FoldSpy(x, y, rng)
    with report.stage(name) if name else contextlib.nullcontext():
        with step("rows and labels together"):
            call = _call_with_spy(subject, spy, ks, folds, report)
        calls = {k: [fold for fold in spy.folds if k in fold.ks] for k in ks}
        with step("each fold held out once"):
            for k in ks:
                report.require(
                    len(calls[k]) == folds,
                    f"k = {k} was tried {len(calls[k])} times, with num_folds = {folds}",
                    hint="Each fold is held out once: num_folds calls of classify, each with all of k_choices.",
                    symptom="fold-count",
                )
                for fold in calls[k]:
                    _require_no_leak(fold, rows, report)
        with step("every row used"):
            for k in ks:
                _require_every_row(calls[k], rows, folds, report)
        with step("inputs untouched"):
            report.untouched(call, ["classify", "X", "y", "k_choices"])
        with step("one accuracy per fold"):
            _require_accuracies(call.value, spy, calls, rows, report)


def _call_with_spy(subject: Subject, spy: FoldSpy, ks: list[int], folds: int | None, report: Report) -> Call:
    """Call the student's function; what the spy objects to comes before the error that its objection raised.

    folds : None leaves the argument out
    """
    try:
        call = subject.call(spy, spy.X, spy.y, ks, *([] if folds is None else [folds]))
    except StudentError:
        if spy.problem is None:
            raise
    if spy.problem is not None:
        message, hint, symptom = spy.problem
        raise CheckFailed(message, hint, symptom)
    return call


def _require_no_leak(fold: Fold, rows: int, report: Report) -> None:
    """Require that no row of this fold was both trained on and validated on."""
    train, both = set(fold.train), set(fold.train) & set(fold.val)
    if len(train) == rows:
        report.fail(
            f"the {len(fold.val)} validation rows were among the {rows} training rows",
            hint="You trained on all rows. Leave the held-out fold out of the training rows.",
            symptom="fold-leak",
        )
    if both and len(both) == len(set(fold.val)):
        report.fail(
            f"the {len(fold.val)} validation rows were among the {len(fold.train)} training rows",
            hint="You validated on a fold that was trained on, and never on the one left out.",
            symptom="validates-on-training-fold",
        )
    report.require(
        not both,
        f"{len(both)} of {len(fold.val)} validation rows were also training rows",
        hint="A row may be in one of the two only.",
        symptom="fold-leak",
    )


def _require_every_row(calls: list[Fold], rows: int, folds: int, report: Report) -> None:
    """Require that the folds split all rows evenly, and that each training set is all the others."""
    used = [row for fold in calls for row in fold.val]
    lost = rows - len(set(used))
    report.require(
        lost == 0,
        f"{lost} of {rows} rows were never validated on",
        hint="Cutting N rows into folds of N // num_folds drops the remainder: let some folds be one row longer.",
        symptom="dropped-rows" if lost < rows / folds else "missing-fold",
    )
    report.require(len(used) == rows, "some rows were validated on more than once", symptom="overlap")
    for fold in calls:
        left_out = rows - len(fold.val) - len(set(fold.train))
        report.require(
            left_out == 0,
            f"{left_out} rows were used neither to train nor to validate",
            hint="Train on all folds but the held-out one.",
            symptom="untrained-rows",
        )
        repeated = len(fold.train) - len(set(fold.train))
        report.require(repeated == 0, f"{repeated} rows were trained on twice", symptom="repeated-rows")
    sizes = [len(fold.val) for fold in calls]
    report.require(
        max(sizes) - min(sizes) <= 1,
        f"the folds have {', '.join(map(str, sizes))} rows",
        hint="Spread the remainder: sizes may differ by at most one row.",
        symptom="uneven-folds",
    )


def _require_accuracies(found: object, spy: FoldSpy, calls: dict[int, list[Fold]], rows: int, report: Report) -> None:
    """Require k -> one accuracy per fold, as the spy knows them. The order of the folds is free."""
    ks = list(calls)
    if not isinstance(found, dict):
        hint = "Does your function end in `return`?" if found is None else ""
        raise CheckFailed(f"the result must be a dict, got {type(found).__name__}", hint, "not-dict")
    report.require(
        set(found) == set(ks), f"the keys must be the k of k_choices, {ks}, got {list(found)}", symptom="keys"
    )
    for k in ks:
        want, folds = np.array(spy.accuracies[k]), len(calls[k])
        got = _numbers(found[k])
        if got is None or got.shape != (folds,):
            report.fail(
                f"the entry of k = {k} must be a list of {folds} accuracies, got {found[k]!r:.80}",
                hint="Keep the accuracy of every fold: their spread tells how far to trust the mean.",
                symptom="not-per-fold",
            )
        sizes = np.array([len(fold.val) for fold in calls[k]])
        order = np.sort(want)
        symptoms = [
            Symptom("count", looks_like(np.sort(want * sizes)), "These are counts: divide by the rows of the fold."),
            Symptom("error-rate", looks_like(np.sort(1 - want)), "These are shares of wrong labels."),
            Symptom("percent", looks_like(100 * order), "Give shares from 0 to 1, not percentages."),
            Symptom(
                "denominator",
                looks_like(np.sort(want * sizes / (rows // folds))),
                "Divide by the rows of this fold: folds can differ by one row.",
            ),
        ] + [
            Symptom("wrong-k", looks_like(np.sort(spy.accuracies[other])), f"These belong to k = {other}.")
            for other in ks
            if other != k
        ]
        report.close(
            np.sort(got),
            order,
            rtol=1e-6,
            name=f"k_to_accuracies[{k}], sorted,",
            symptoms=symptoms,
            hint="Compare the predicted labels with the labels of the rows you held out.",
        )


def _numbers(values: object) -> np.ndarray | None:
    """Return a list, tuple or array of numbers as float (N,), None if it is anything else."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return values.astype(float)
    if not isinstance(values, list | tuple):
        return None
    plain = all(isinstance(v, int | float | np.integer | np.floating) for v in values)
    return np.array(values, dtype=float) if plain else None


@exercise("knn-choose_k", points=2, title="the best k")
def examine_choose_k(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    # Accuracies are multiples of 1/16, so means that should tie do tie in binary floating point.
    base = rng.integers(3, 6)
    ks = [int(k) for k in rng.permutation(np.arange(2, 40))[:5]]
    sums = base + np.array([0, 1, -2, 3, 2])  # the fourth wins
    table = {
        k: _four_accuracies(int(total), spread) for k, total, spread in zip(ks, sums, [1, 4, 0, 1, 0], strict=True)
    }
    with report.stage("an integer"):
        call = subject.call(table)
        got = call.value
        report.require(got is not None, "the result is None", hint="Does your function return?", symptom="no-return")
        report.require(
            isinstance(got, int | np.integer) and not isinstance(got, bool) and int(got) in table,
            f"the result must be one of the k, {ks}, got {got!r:.60}",
            hint="Return the k (a key of the dict), not its accuracy or its place in a list.",
            symptom="value-not-key",
        )
    with report.stage("input untouched"):
        report.untouched(call, ["k_to_accuracies"])
    with report.stage("highest mean"):
        worst, luckiest = ks[2], ks[1]
        known = {
            worst: ("lowest", "This k has the lowest mean: you want the highest."),
            luckiest: ("single-fold", "This k has the best single fold. One fold can be lucky: compare the means."),
        }
        symptom, hint = known.get(int(got), ("values", "Compare the means over the folds."))
        report.require(int(got) == ks[3], f"the best k is {ks[3]}, got {got}", hint=hint, symptom=symptom)
    with report.stage("ties"):
        small, large = sorted(ks[:2])
        for first, second in ((large, small), (small, large)):
            table = {first: _four_accuracies(5, 1), ks[2]: _four_accuracies(2, 0), second: _four_accuracies(5, 2)}
            got = subject(table)
            report.require(
                np.array_equal(got, small),
                f"k = {small} and k = {large} have the same mean; the smaller is asked, got {got}",
                hint="Do not rely on the order of the dict: among the best, take the smallest k.",
                symptom="tie",
            )


def _four_accuracies(total: int, spread: int) -> list[float]:
    """Return four accuracies, multiples of 1/16, with mean total/16 and a spread around it."""
    return [value / 16 for value in (total - spread, total + spread, total, total)]


@exercise("knn-q2", points=4, title="what L1 does not notice", visible_share=0.0)
def examine_unchanged(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")


@exercise("knn-q3", points=3, title="true or false", visible_share=0.0)
def examine_truths(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        report.choices(subject, "ABCDEF")
