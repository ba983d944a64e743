"""What is examined in N02, second part: how far apart two distributions are, and what knowing nothing costs.

All in nats: logarithms are natural, as in the lectures.
"""

import math

import numpy as np

from .n00_start import distinct_sizes
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

LN2 = math.log(2)


def _sums(p: np.ndarray, q: np.ndarray, term) -> np.ndarray:
    """Add up term(P(y), Q(y)) over the classes of each row."""
    return np.array([math.fsum(map(term, a, b)) for a, b in zip(p.tolist(), q.tolist(), strict=True)])


def surprise(p: float, q: float) -> float:
    """Return -p log q, by the standard library; a class that never occurs costs nothing."""
    if p == 0:
        return 0.0
    return math.inf if q == 0 else -p * math.log(q)


def _entropy(p: np.ndarray) -> np.ndarray:
    return _sums(p, p, surprise)


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the KL divergence of each row of p to that of q, as cross entropy less entropy: float64 (N,)."""
    return _sums(p, q, surprise) - _entropy(p)


def distributions(rng: np.random.Generator, n: int, c: int) -> np.ndarray:
    """Return n rows of c positive probabilities, none below a thousandth."""
    return 0.001 + (1 - 0.001 * c) * rng.dirichlet(np.ones(c), size=n)


def _examine_pair(subject: Subject, rng: np.random.Generator, report: Report, *, kl: bool) -> None:
    n, c = distinct_sizes(rng, 2)
    p, q = distributions(rng, n, c), distributions(rng, n, c)
    entropy, kl_pq, kl_qp = _entropy(p), divergence(p, q), divergence(q, p)
    name = "kl_divergence(P, Q)" if kl else "cross_entropy(P, Q)"
    want = kl_pq if kl else kl_pq + entropy
    other = kl_pq + entropy if kl else kl_pq
    symptoms = [
        Symptom(
            "cross-entropy" if kl else "kl",
            looks_like(other),
            "This is the cross entropy: H(P), the entropy of P itself, is still in it."
            if kl
            else "This is the KL divergence: the entropy H(P) is missing.",
        ),
        Symptom(
            "swapped",
            looks_like(kl_qp if kl else kl_qp + _entropy(q)),
            "P and Q changed places: the weights in front of the logarithm are P, the true probabilities.",
        ),
        Symptom("sign", looks_like(-want), "The sign is wrong: neither quantity is ever negative."),
        Symptom("bits", looks_like(want / LN2), "These are bits. Use the natural logarithm, np.log, for nats."),
        Symptom("log10", looks_like(want / math.log(10)), "Use the natural logarithm, np.log, for nats."),
        Symptom("mean", looks_like(want / c), "Add up over the classes: a mean divides by C."),
        Symptom("entropy", looks_like(entropy), "This is the entropy of P: it does not depend on Q."),
        Symptom(
            "unweighted",
            looks_like(_sums(p, q, lambda a, b: math.log(a / b) if kl else -math.log(b))),
            "Each logarithm counts as often as its class occurs: multiply by P.",
        ),
    ]
    with report.stage("shape"):
        call = subject.call(p, q)
        if isinstance(call.value, float) or (isinstance(call.value, np.ndarray) and call.value.shape == ()):
            report.fail(
                f"the result must have shape (N,) = {(n,)}, got one number",
                hint="Add up over the classes only: each of the N rows has its own value.",
                symptom="one-number",
            )
        got = report.array(call.value, (n,))
    with report.stage("inputs untouched"):
        report.untouched(call, ["P", "Q"])
    with report.stage("values"):
        symptoms.append(_epsilon_slip(p, q, want))
        report.close(got, want, rtol=1e-9, atol=1e-12, name=name, symptoms=symptoms)
    with report.stage("cat, car, frog"):
        exps = [math.exp(s) for s in (3.2, 5.1, -1.7)]
        q = np.array([[e / math.fsum(exps) for e in exps]])
        p = np.array([[1.0, 0.0, 0.0]])
        got = report.array(subject(p, q), (1,))
        _require_no_nan(got, report)
        want = np.array([-math.log(q[0, 0])])
        report.close(got, want, rtol=1e-12, atol=0.0, name=name, symptoms=[_epsilon_slip(p, q, want)])
    with report.stage("classes that never occur"):
        p = rng.permuted(np.tile([0.5, 0.3, 0.2, 0.0, 0.0], (n, 1)), axis=1)
        q = np.where(p > 0, distributions(rng, n, 5), 0.0)
        q[::2] = distributions(rng, len(q[::2]), 5)
        want = divergence(p, q) if kl else _sums(p, q, surprise)
        got = report.array(subject(p, q), (n,))
        _require_no_nan(got, report)
        report.close(got, want, rtol=1e-6, atol=1e-9, name=name)
    with report.stage("the impossible happens"):
        got = report.array(subject(np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), np.array([[1.0, 0, 0]] * 2)), (2,))
        report.require(
            bool(np.isposinf(got).all()),
            f"Q says that a class of P cannot occur: the value must be inf, got {got.tolist()}",
            hint="No finite price is right for an event that was called impossible. A small number added inside the "
            "logarithm hides it, and makes the other values slightly wrong.",
            symptom="clipped-log",
        )


def _epsilon_slip(p: np.ndarray, q: np.ndarray, want: np.ndarray) -> Symptom:
    """Recognise a small number added to Q, or to P and Q, inside the logarithm."""
    added = []
    for tiny in (1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5):
        lost = _sums(p, q, lambda a, b, tiny=tiny: a * math.log1p(tiny / b))
        won = _sums(p, p, lambda a, b, tiny=tiny: b and a * math.log1p(tiny / b))
        added += [want - lost, want - lost + won]
    return Symptom(
        "added-epsilon",
        lambda got: any(bool(np.allclose(got, value, rtol=1e-11, atol=1e-15)) for value in added),
        "A small number added inside the logarithm makes every value slightly wrong. Leave out the classes of "
        "probability 0 instead.",
    )


def _require_no_nan(got: np.ndarray, report: Report) -> None:
    report.require(
        not np.isnan(got).any(),
        f"{int(np.isnan(got).sum())} of {got.size} values are nan: there P has a class of probability 0",
        hint="0 * log(0) is nan for NumPy, and 0 here, because p log p goes to 0 with p. Add up over the classes that "
        "occur: np.where, or a mask of P > 0.",
        symptom="nan-zero",
    )


@exercise("softmax-kl", points=2, title="the KL divergence")
def examine_kl(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    _examine_pair(subject, rng, report, kl=True)


@exercise("softmax-cross_entropy", points=1, title="the cross entropy")
def examine_cross_entropy(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    _examine_pair(subject, rng, report, kl=False)
