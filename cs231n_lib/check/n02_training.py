"""What is examined in N02, fourth part: gradient descent on batches, and what the trained weights predict."""

from typing import Any

import numpy as np

from .n00_start import distinct_sizes
from .n02_scores import number
from .report import CheckFailed, Report, Symptom, looks_like
from .spec import exercise
from .step_spy import StepSpy
from .subject import Call, StudentError, Subject


def run_training(
    subject: Subject, rng: np.random.Generator, report: Report, *, rows: int, batch_size: int, num_steps: int, seed: int
) -> tuple[StepSpy, Call]:
    """Run a student's training loop with a spy for a loss; require that each of its steps is right."""
    d, c = distinct_sizes(rng, 2)
    x, y = rng.normal(size=(rows, d)), rng.integers(0, c, size=rows)
    x[:, 0] = rng.permutation(rows)
    rate, reg = float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.1, 0.9))
    spy = StepSpy(x, y, rng, c, rate, reg, batch_size)
    options: dict[str, Any] = {"num_classes": c, "learning_rate": rate, "reg": reg, "num_steps": num_steps}
    try:
        call = subject.call(spy, x, y, **options, batch_size=batch_size, seed=seed)
    except StudentError:
        if spy.problem is None:
            raise
    if spy.problem is not None:
        report.fail(spy.problem[0], hint=spy.problem[1], symptom=spy.problem[2])
    report.require(
        len(spy.steps) == num_steps,
        f"loss was called {len(spy.steps)} times, with num_steps = {num_steps}",
        hint="One batch, one call of loss, one step.",
        symptom="step-count",
    )
    return spy, call


@exercise("softmax-train", points=5, title="gradient descent on batches")
def examine_train(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    seed = int(rng.integers(1, 10**6))
    with report.stage("batches and steps"):
        state = rng.bit_generator.state
        spy, call = run_training(subject, rng, report, rows=30, batch_size=8, num_steps=60, seed=seed)
    with report.stage("inputs untouched"):
        report.untouched(call, ["loss", "X", "y"])
    with report.stage("what it returns"):
        require_outcome(call.value, spy, report)
    with report.stage("random batches"):
        require_random(spy, report)
    with report.stage("the seed"):
        rng.bit_generator.state = state
        again, _ = run_training(subject, rng, report, rows=30, batch_size=8, num_steps=60, seed=seed)
        report.require(
            again.steps == spy.steps,
            "the same seed drew other batches",
            hint="Make rng = np.random.default_rng(seed) inside the function, and draw everything from it.",
            symptom="not-repeatable",
        )
        rng.bit_generator.state = state
        other, _ = run_training(subject, rng, report, rows=30, batch_size=8, num_steps=60, seed=seed + 1)
        report.require(
            other.steps != spy.steps,
            "another seed drew the same batches",
            hint="Draw the rows at random, from np.random.default_rng(seed).",
            symptom="seed-ignored",
        )
        report.require(
            not call.global_random,
            "train drew from, or reseeded, the random numbers that all code of the notebook shares",
            hint="np.random.seed changes the numbers of everybody else. rng = np.random.default_rng(seed) is your own.",
            symptom="global-seed",
        )


def require_outcome(value: object, spy: StepSpy, report: Report) -> None:
    """Require (W after the last step, the loss of each step)."""
    if value is None:
        report.fail("the result is None", hint="Does your function end in `return`?", symptom="no-return")
    pair = value if isinstance(value, tuple | list) and len(value) == 2 else None
    if pair is None or spy.expected is None or spy.previous is None:
        raise CheckFailed(f"the result must be a pair (W, losses), got {type(value).__name__}", symptom="not-pair")
    found = report.array(pair[0], spy.expected.shape, name="W")
    if np.allclose(found, spy.previous[0], rtol=1e-4, atol=1e-6):
        report.fail(
            "the W that came back lacks the last step",
            hint="Return the W after the last update, not the one before it or a copy made earlier.",
            symptom="stale",
        )
    problem = spy.wrong_step(found)
    if problem:
        report.fail(problem[0], hint=problem[1], symptom=problem[2])
    losses = pair[1]
    report.require(
        isinstance(losses, list | tuple | np.ndarray) and np.shape(losses) == (len(spy.losses),),
        f"losses must be a list of {len(spy.losses)} numbers, the loss of each step",
        symptom="losses",
    )
    values = [number(entry, report, name="a loss") for entry in losses]
    report.close(np.array(values), spy.losses, name="losses", hint="Keep what loss returned, in order.")


def require_random(spy: StepSpy, report: Report) -> None:
    """Require batches that differ and that, together, reach all rows. 480 draws miss a row of 30 once in 400,000."""
    batches = {tuple(sorted(step)) for step in spy.steps}
    report.require(
        len(batches) > 1,
        f"all {len(spy.steps)} batches held the same rows",
        hint="Draw a new batch at each step, inside the loop.",
        symptom="same-batch",
    )
    missed = len(spy.X) - len({row for step in spy.steps for row in step})
    report.require(
        missed == 0,
        f"{missed} of {len(spy.X)} rows were in none of {len(spy.steps)} batches",
        hint="Every row must have a chance at each step: rng.integers(0, N, size=batch_size), for instance.",
        symptom="rows-never-seen",
    )


@exercise("softmax-predict", points=1, title="the class of the highest score")
def examine_predict(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d, c = distinct_sizes(rng, 3)
    w, x = rng.normal(size=(d, c)), rng.normal(size=(n, d))
    scores = x @ w
    want = np.array([row.index(max(row)) for row in scores.tolist()])
    with report.stage("shape"):
        call = subject.call(w, x)
        if isinstance(call.value, np.ndarray) and call.value.shape == (c,):
            report.fail(
                f"the labels must have shape (N,) = {(n,)}, got {(c,)}",
                hint="You looked for the best row of each class. The classes lie along axis 1 of the scores.",
                symptom="axis",
            )
        if isinstance(call.value, np.ndarray) and call.value.shape == (n, c):
            report.fail(
                f"the labels must have shape (N,) = {(n,)}, got {(n, c)}",
                hint="These are scores or probabilities: return the index of the largest in each row.",
                symptom="scores",
            )
        got = report.array(call.value, (n,), kind="fi", name="the labels")
        best = Symptom("maximum", looks_like(scores.max(axis=1)), "These are the highest scores: return their places.")
        if best.holds(got):
            report.fail("the labels are scores", hint=best.hint, symptom=best.name)
        report.require(
            got.dtype.kind in "iu", f"the labels must have an integer dtype, got {got.dtype}", symptom="float-labels"
        )
    with report.stage("inputs untouched"):
        report.untouched(call, ["W", "X"])
    with report.stage("values"):
        lowest = looks_like([row.index(min(row)) for row in scores.tolist()])
        symptoms = [Symptom("lowest", lowest, "These classes have the lowest score.")]
        report.equal(got, want, name="the labels", symptoms=symptoms)
    with report.stage("as many rows as classes"):
        x = rng.normal(size=(c, d))
        want = np.array([row.index(max(row)) for row in (x @ w).tolist()])
        columns = [column.index(max(column)) for column in (x @ w).T.tolist()]
        got = report.array(subject(w, x), (c,), kind="i", name="the labels")
        axis = Symptom("axis", looks_like(columns), "The classes lie along axis 1 of the scores.")
        report.equal(got, want, name="the labels", symptoms=[axis])


@exercise("softmax-top_k", points=1, title="right among the first k")
def examine_top_k(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    # How many labels have the highest score, the second highest, ...: uneven, so that no two slips give the same share.
    ranks = rng.permutation(np.repeat(np.arange(9), [8, 3, 5, 2, 6, 1, 9, 2, 4]))
    n, c = len(ranks), 9
    scores = rng.normal(size=(n, c))
    y = np.array([sorted(range(c), key=lambda j: -row[j])[r] for row, r in zip(scores.tolist(), ranks, strict=True)])

    def share(scores: np.ndarray, y: np.ndarray, k: int) -> float:
        table = zip(scores.tolist(), y.tolist(), strict=True)
        return sum(label in sorted(range(len(row)), key=lambda j: -row[j])[:k] for row, label in table) / len(y)

    for k in (1, 3, 5):
        with report.stage(f"k = {k}"):
            call = subject.call(scores, y, k)
            want = share(scores, y, k)
            symptoms = [
                Symptom("lowest", looks_like(share(-scores, y, k)), "You took the k lowest scores: sort downwards."),
                Symptom("ignores-k", looks_like(share(scores, y, 1)), "This is the accuracy of the first guess alone."),
                Symptom("count", looks_like(want * n), "This is a count: divide by N."),
                Symptom("percent", looks_like(want * 100), "Return a share from 0 to 1."),
                Symptom("divided-by-k", looks_like(want / k), "Divide by the N rows, not by the N * k guesses."),
                Symptom("off-by-one", looks_like(share(scores, y, k + 1)), f"You let {k + 1} guesses pass."),
                Symptom("error-rate", looks_like(1 - want), "This is the share of misses."),
            ]
            got = number(call.value, report, name="the accuracy")
            report.close(np.array(got), want, rtol=1e-6, name="the accuracy", symptoms=symptoms)
    with report.stage("inputs untouched"):
        report.untouched(call, ["scores", "y", "k"])
    with report.stage("equal scores"):
        flat, labels = np.zeros((20, 10)), np.repeat(np.arange(10), 2)
        got = number(subject(flat, labels, 3), report, name="the accuracy")
        report.require(
            abs(got - 0.3) < 1e-6,
            f"ten equal scores, every class alike: three guesses should be right for 0.3 of the rows, got {got:g}",
            hint="Only k classes may be guessed. Counting every class that is as good as the k-th guesses more than k: "
            "a classifier that says the same for everything would be perfect.",
            symptom="ties",
        )
        flat[:, 4:] = 1.0
        got = number(subject(flat, np.repeat(np.arange(4, 6), 10), 2), report, name="the accuracy")
        report.require(
            abs(got - 1.0) < 1e-6,
            "of equal scores the smaller labels are guessed first",
            hint="np.argsort(-scores, axis=1, kind='stable') keeps equal scores in the order of their labels.",
            symptom="tie-order",
        )
