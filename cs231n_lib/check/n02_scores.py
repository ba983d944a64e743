"""What is examined in N02, first part: the scores of a linear classifier, and numbers read from them."""

import math
from numbers import Real

import numpy as np

from .report import NotAnswered, Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

# The picture in the course notes (linear-classify, "imagemap"): four pixels, three classes, one row of weights each.
WEIGHTS = {"cat": (0.2, -0.5, 0.1, 2.0), "dog": (1.5, 1.3, 2.1, 0.0), "ship": (0.0, 0.25, 0.2, -0.3)}
PIXELS = (56, 231, 24, 2)
BIASES = {"cat": 1.1, "dog": 3.2, "ship": -1.2}
CIFAR_PARAMETERS = (32 * 32 * 3 + 1) * 10


def number(value: object, report: Report, *, name: str = "the result", finite: bool = True) -> float:
    """Require one real number (Python's, NumPy's, or an array of shape ()); return it as a float.

    finite : refuse nan and infinity
    """
    if value is None:
        report.fail(f"{name} is None", hint="Does your function end in `return`?", symptom="no-return")
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        what = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        report.fail(f"{name} must be one number, got {what}", symptom="not-number")
    found = float(value)
    if finite and not math.isfinite(found):
        report.fail(
            f"{name} must be a finite number, got {found}",
            hint="An exponential overflowed, or a logarithm or a quotient got a 0.",
            symptom="not-finite",
        )
    return found


@exercise("softmax-four_pixels", points=3, title="four pixels, three scores")
def examine_four_pixels(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    keys = [*WEIGHTS, "misprinted", "slip", "cifar_parameters"]
    with report.stage("answered"):
        answer = subject.value()
        report.require(
            isinstance(answer, dict) and set(answer) == set(keys),
            f"four_pixels must be a dict with the keys {', '.join(keys)}",
            symptom="keys",
        )
        if any(value is ... for value in answer.values()):
            raise NotAnswered
    for name, row in WEIGHTS.items():
        with report.stage(name):
            products = math.fsum(w * x for w, x in zip(row, PIXELS, strict=True))
            got = number(answer[name], report, name=f"the score of {name}")
            symptoms = [
                Symptom(
                    "no-bias", looks_like(products), f"This is the sum of products. The bias of {name} is missing."
                ),
                Symptom("bias-sign", looks_like(products - BIASES[name]), "The bias is added, with its own sign."),
            ]
            # Two decimals are asked for: a score copied from a picture has no more.
            report.close(
                np.array(got),
                products + BIASES[name],
                rtol=0.0,
                atol=0.005,
                name=f"the score of {name}",
                symptoms=symptoms,
                hint="Multiply each weight of the row by its pixel, add up the four products, and add the bias.",
            )
    with report.stage("the misprint"):
        named = str(answer["misprinted"]).strip().lower()
        report.require(
            named == "ship",
            f"the number printed for {named[:20]} is what the formula gives",
            hint="Compare the three scores that you computed with the three that are printed.",
            symptom="misprint",
        )
        report.require(
            str(answer["slip"]).strip().upper() == "B",
            f"{str(answer['slip'])[:20]} does not lead to 61.95",
            hint="Compute what each of the four slips would give. Only one gives the printed number.",
            symptom="slip",
        )
    with report.stage("parameters"):
        got = number(answer["cifar_parameters"], report, name="cifar_parameters")
        pixels = 32 * 32 * 3
        symptoms = [
            Symptom("no-biases", looks_like(10 * pixels), "These are the weights. Each class has a bias too."),
            Symptom("one-bias", looks_like(10 * pixels + 1), "There is not one bias but one for each class."),
            Symptom("one-class", looks_like(pixels + 1), "These are the numbers of one class: there are ten."),
            Symptom("one-channel", looks_like(10 * (32 * 32 + 1)), "A pixel has three numbers: red, green and blue."),
        ]
        report.equal(np.array(got), CIFAR_PARAMETERS, name="cifar_parameters", symptoms=symptoms)
