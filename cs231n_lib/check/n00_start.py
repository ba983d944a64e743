"""What is examined in N00: the environment, array puzzles, image tensors, a first classifier and its accuracy."""

import statistics

import numpy as np

from .report import NotAnswered, Report, Symptom, looks_like
from .spec import exercise
from .subject import StudentError, Subject

PLAIN_COLOURS = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


def distinct_sizes(rng: np.random.Generator, count: int) -> list[int]:
    """Return `count` different sizes from 3 to 9: equal sizes would hide a swapped axis."""
    return [int(n) for n in rng.permutation(np.arange(3, 10))[:count]]


def shape_of(value: object) -> tuple[int, ...] | None:
    """Return the shape of an array, None for anything else: the result may be whatever a student returned."""
    return value.shape if isinstance(value, np.ndarray) else None


@exercise("start-doctor", points=1, title="your environment")
def examine_doctor(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    with report.stage("answered"):
        found = subject.value()
        if found is ...:
            raise NotAnswered
        report.require(
            isinstance(found, dict) and {"ok", "python", "packages", "problems"} <= set(found),
            f"environment must be what doctor() returns, got {type(found).__name__}",
            hint="A function is called with parentheses: doctor is the function, doctor() is its result.",
            symptom="not-called",
        )
    with report.stage("nothing missing"):
        problems = found["problems"]
        listed = "; ".join(map(str, problems)) if isinstance(problems, list) else "its list of problems is not a list"
        report.require(
            found["ok"] is True and problems == [],
            f"doctor found a problem: {listed or 'ok is not True'}",
            hint="Its last lines say how to mend it. Then restart the kernel and run this notebook again.",
            symptom="unhealthy",
        )


@exercise("start-row_means", points=1, title="the mean of each row, as a column")
def examine_row_means(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d = distinct_sizes(rng, 2)
    x = rng.normal(2.0, 1.0, size=(n, d))
    want = [[statistics.fmean(row)] for row in x.tolist()]
    with report.stage("shape"):
        call = subject.call(x)
        report.require(
            shape_of(call.value) != (n,),
            f"the result must have shape {(n, 1)}, got {(n,)}",
            hint="A mean removes its axis. Keep it with length 1 by keepdims=True, so that X - row_means(X) lines up.",
            symptom="keepdims",
        )
        wrong_axis = {(d,), (1, d), (d, 1)}
        report.require(
            shape_of(call.value) not in wrong_axis,
            f"the result must have shape {(n, 1)}: one number per row, got {shape_of(call.value)}",
            hint=f"These are the means of the {d} columns. axis names the axis that disappears: rows lie along axis 1.",
            symptom="axis",
        )
        got = report.array(call.value, (n, 1))
    with report.stage("input untouched"):
        report.untouched(call, ["X"])
    with report.stage("values"):
        symptoms = [Symptom("sum", looks_like(np.array(want) * d), f"This is the sum: divide by the {d} columns.")]
        report.close(got, want, name="row_means(X)", symptoms=symptoms)


@exercise("start-center_columns", points=1, title="columns with mean zero")
def examine_center_columns(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, d = distinct_sizes(rng, 2)
    x = rng.normal(size=(n, d)) + 10.0 * np.arange(d)
    means = [statistics.fmean(column) for column in x.T.tolist()]
    want = np.array([[value - means[j] for j, value in enumerate(row)] for row in x.tolist()])
    with report.stage("shape"):
        call = subject.call(x)
        got = report.array(call.value, (n, d))
    with report.stage("input untouched"):
        report.untouched(call, ["X"])
    with report.stage("values"):
        by_row = np.array([[value - statistics.fmean(row) for value in row] for row in x.tolist()])
        symptoms = [
            Symptom("axis", looks_like(by_row), "The rows have mean zero, not the columns: use the other axis."),
            Symptom(
                "global-mean",
                looks_like(x - statistics.fmean(x.ravel().tolist())),
                "You subtracted one mean of everything. Each column has its own: give mean an axis.",
            ),
            Symptom("only-means", looks_like(np.tile(means, (n, 1))), "These are the means: subtract them from X."),
        ]
        report.close(got, want, name="center_columns(X)", symptoms=symptoms)
    with report.stage("whole numbers in"):
        counts = rng.integers(0, 50, size=(n + 1, d))
        centred = np.array([[v - statistics.fmean(c) for v in c] for c in counts.T.tolist()]).T
        got = report.array(subject(counts), (n + 1, d), kind="fi")
        report.close(
            got,
            centred,
            name="center_columns(X)",
            symptoms=[Symptom("integer-result", lambda v: bool((v == np.rint(v)).all()), "The fractions are lost.")],
            hint="With integers in X, the result still needs fractions: an integer array cannot hold them.",
        )


@exercise("start-one_hot", points=1, title="one-hot rows")
def examine_one_hot(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, c = 7, int(rng.integers(9, 12))
    y = rng.permutation(c - 1)[:n]  # all different, and the last class does not occur
    want = [[float(label == column) for column in range(c)] for label in y.tolist()]
    with report.stage("shape"):
        call = subject.call(y, c)
        report.require(
            shape_of(call.value) != (n, int(y.max()) + 1),
            f"the result must have shape {(n, c)}, got {shape_of(call.value)}",
            hint="The last class happens not to occur in y: take the number of columns from num_classes.",
            symptom="columns-from-y",
        )
        got = report.array(call.value, (n, c), kind="fi")
    with report.stage("input untouched"):
        report.untouched(call, ["y"])
    with report.stage("values"):
        every_row = np.zeros((n, c))
        every_row[:, y] = 1
        shifted = np.roll(want, -1, axis=1)
        symptoms = [
            Symptom(
                "every-row",
                looks_like(every_row),
                "Every row got the ones of all labels: `:` means all rows. Pair row i with column y[i].",
            ),
            Symptom("off-by-one", looks_like(shifted), "The ones are one column too far left: labels start at 0."),
        ]
        report.equal(got, want, name="one_hot(y, num_classes)", symptoms=symptoms)


@exercise("start-outer_sum", points=1, title="every sum of a pair")
def examine_outer_sum(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, m = distinct_sizes(rng, 2)
    a, b = rng.normal(size=n), rng.normal(size=m)
    want = np.array([[u + v for v in b.tolist()] for u in a.tolist()])
    with report.stage("shape"):
        try:
            call = subject.call(a, b)
        except StudentError as error:
            report.require(
                "could not be broadcast" not in error.message,
                f"NumPy could not line up shapes {(n,)} and {(m,)}: {error.message}",
                hint="Make a a column of shape (N, 1) with a[:, None]; then it broadcasts against the row b.",
                symptom="no-new-axis",
            )
            raise
        got = report.array(call.value, (n, m))
    with report.stage("inputs untouched"):
        report.untouched(call, ["a", "b"])
    with report.stage("values"):
        products = np.array([[u * v for v in b.tolist()] for u in a.tolist()])
        symptoms = [
            Symptom("product", looks_like(products), "These are products: the exercise asks for sums."),
            Symptom("difference", looks_like(want - 2 * b), "These are differences: the exercise asks for sums."),
        ]
        report.close(got, want, name="outer_sum(a, b)", symptoms=symptoms)
    with report.stage("equal lengths"):
        a, b = rng.normal(size=n), rng.normal(size=n)
        want = np.array([[u + v for v in b.tolist()] for u in a.tolist()])
        got = report.array(subject(a, b), (n, n))
        swapped = Symptom("transposed", looks_like(want.T), "Entry [i, j] must be a[i] + b[j]: yours is a[j] + b[i].")
        report.close(got, want, name="outer_sum(a, b)", symptoms=[swapped])


@exercise("start-pick_scores", points=1, title="one score per row")
def examine_pick_scores(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, c = 8, int(rng.integers(4, 7))
    scores, y = rng.normal(size=(n, c)), rng.integers(0, c, size=n)
    y[:2] = 0, c - 1
    want = [row[label] for row, label in zip(scores.tolist(), y.tolist(), strict=True)]
    with report.stage("shape"):
        call = subject.call(scores, y)
        report.require(
            shape_of(call.value) != (n, n),
            f"the result must have shape {(n,)}, got {(n, n)}",
            hint="`:` pairs every row with every label. To pair row i with y[i], index the rows with np.arange(N) too.",
            symptom="every-row",
        )
        report.require(
            shape_of(call.value) != (n, c),
            f"the result must have shape {(n,)}, got {(n, c)}",
            hint="scores[y] takes whole rows. You need one column in each row: index rows and columns together.",
            symptom="whole-rows",
        )
        got = report.array(call.value, (n,))
    with report.stage("inputs untouched"):
        report.untouched(call, ["scores", "y"])
    with report.stage("values"):
        best = [max(row) for row in scores.tolist()]
        symptoms = [Symptom("largest", looks_like(best), "These are the largest scores: take the score of label y[i].")]
        report.close(got, want, name="pick_scores(scores, y)", symptoms=symptoms)


@exercise("start-to_chw", points=1, title="channels first")
def examine_to_chw(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, h, w = distinct_sizes(rng, 3)
    images = rng.integers(0, 256, size=(n, h, w, 3), dtype=np.uint8)
    want = np.empty((n, 3, h, w))
    for index, pixel in np.ndenumerate(images):
        want[index[0], index[3], index[1], index[2]] = pixel
    with report.stage("shape"):
        call = subject.call(images)
        report.require(
            shape_of(call.value) != (n, 3, w, h),
            f"the result must have shape {(n, 3, h, w)}, got {(n, 3, w, h)}",
            hint="Height and width changed places: keep them in the order (height, width).",
            symptom="height-width",
        )
        got = report.array(call.value, (n, 3, h, w), kind="fi")
    with report.stage("dtype"):
        report.require(got.dtype == np.uint8, f"the dtype must stay uint8, got {got.dtype}", symptom="dtype")
    with report.stage("input untouched"):
        report.untouched(call, ["images"])
    with report.stage("values"):
        refilled = np.array(images.ravel().tolist()).reshape(want.shape)
        symptoms = [
            Symptom(
                "reshape",
                looks_like(refilled),
                "reshape keeps the numbers in memory order and only re-cuts them: colours end up in the wrong place. "
                "Moving an axis is the work of transpose (or np.moveaxis).",
            ),
            Symptom("channel-order", looks_like(want[:, ::-1]), "Red and blue changed places: keep R, G, B."),
        ]
        report.equal(got, want, name="to_chw(images)", symptoms=symptoms)


@exercise("start-image_numbers", points=1, title="an image in numbers")
def examine_image_numbers(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    picture = np.zeros((600, 800, 3), dtype=np.uint8)
    limits = np.iinfo(picture.dtype)
    want = {
        "integers": (picture.size, "pixels", 600 * 800, "That counts pixels: each has three numbers."),
        "bytes_as_uint8": (picture.nbytes, "bits", 8 * picture.nbytes, "A uint8 takes 8 bits, which is 1 byte."),
        "bytes_as_float32": (4 * picture.nbytes, "bits", 32 * picture.nbytes, "A float32 takes 32 bits: 4 bytes."),
        "lowest": (limits.min, "range", 1, "A byte of eight zeros is a valid value: black."),
        "highest": (limits.max, "range", 256, "Eight bits give 256 different values, and the first is 0."),
    }
    with report.stage("answered"):
        answer = subject.value()
        report.require(
            isinstance(answer, dict) and set(answer) == set(want),
            f"image_numbers must be a dict with the keys {', '.join(want)}",
            symptom="keys",
        )
        if any(value is ... for value in answer.values()):
            raise NotAnswered
    for key, (right, symptom, mistake, hint) in want.items():
        with report.stage(key.replace("_", " ")):
            value = answer[key]
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            report.require(number, f"{key} must be a number, got {type(value).__name__}", symptom="type")
            known = value == mistake
            report.require(
                value == right,
                f"{key} is not {value}",
                hint=hint if known else "",
                symptom=symptom if known else "values",
            )


@exercise("start-accuracy", points=1, title="the share of right answers")
def examine_accuracy(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n = int(rng.integers(20, 40))
    right = int(rng.integers(4, n - 3))
    y = rng.integers(0, 10, size=n)
    predicted = (y + rng.permutation(np.arange(n) >= right)) % 10
    with report.stage("a number"):
        call = subject.call(predicted, y)
        share = _number(call.value, report)
    with report.stage("inputs untouched"):
        report.untouched(call, ["predicted", "y"])
    with report.stage("values"):
        symptoms = [
            Symptom("count", looks_like(right), "This is how many are right: divide by how many there are."),
            Symptom("error-rate", looks_like(1 - right / n), "This is the share of wrong answers."),
            Symptom("percent", looks_like(100 * right / n), "Return a share from 0 to 1, not a percentage."),
        ]
        report.close(np.array(share), right / n, name="the accuracy", symptoms=symptoms)
    with report.stage("a column of predictions"):
        share = _number(subject(predicted[:, None], y), report)
        report.require(
            abs(share - right / n) < 1e-6,
            f"with predicted of shape {(n, 1)} the accuracy should be {right / n:.4f}, got {share:.4f}",
            hint=f"A column {(n, 1)} compared with a row {(n,)} broadcasts to a table {(n, n)}: all pairs, no error. "
            "Bring both to shape (N,) first.",
            symptom="broadcast",
        )


def _number(value: object, report: Report) -> float:
    """Require one real number (Python's, NumPy's, or an array of shape ()); return it as a float."""
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    report.require(
        isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool),
        f"the result must be one number, got {type(value).__name__}",
        hint="One number for all N answers: average over them.",
        symptom="not-number",
    )
    return float(value)  # type: ignore[arg-type]


@exercise("start-classify_image", points=1, title="a rule written by hand")
def examine_classify_image(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    images = _varied_images(rng, 60)
    with report.stage("a label"):
        calls = [subject.call(image) for image in images]
        labels = [call.value for call in calls]
        for label in labels:
            whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
            report.require(
                label is not None, "the result is None for some image", hint="Do all paths return?", symptom="none"
            )
            report.require(
                whole,
                f"the label must be one integer, got {type(label).__name__}",
                hint="The classes are numbered: return the index of the class, such as 3, not its name.",
                symptom="not-int",
            )
            report.require(0 <= label <= 9, f"the label must be from 0 to 9, got {label}", symptom="range")
    with report.stage("input untouched"):
        for call in calls:
            report.untouched(call, ["image"])
    with report.stage("same image, same label"):
        again = [subject(image) for image in images[:20]]
        report.require(
            str(again) == str(labels[:20]),
            "the same image got two different labels",
            hint="A rule looks at the pixels; a guess does not.",
            symptom="random",
        )
    with report.stage("looks at the image"):
        report.require(
            len(set(labels)) > 1,
            f"all {len(images)} images got label {labels[0]}",
            hint="Let the answer depend on the pixels, for instance on whether the top of the image is blue.",
            symptom="constant",
        )


def _varied_images(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return uint8 (count, 32, 32, 3): plain colours, slopes, blocks and noise, dark to light."""
    low = rng.integers(0, 256, size=(count, 1, 1, 3))
    corners = rng.integers(-128, 129, size=(count, 2, 2, 3)).repeat(16, axis=1).repeat(16, axis=2)
    noise = rng.normal(0, 40, size=(count, 32, 32, 3))
    keep_corners, keep_noise = rng.integers(0, 2, size=(2, count, 1, 1, 1))
    images = np.clip(low + corners * keep_corners + noise * keep_noise, 0, 255).astype(np.uint8)
    images[:5] = PLAIN_COLOURS[:, None, None]
    return images
