"""What is examined in N05, third part: a codebook of visual words by k-means, and images written in those words."""

import itertools
import math
import statistics
from collections.abc import Callable

import numpy as np

from .n00_start import distinct_sizes
from .report import Report, Symptom, looks_like
from .spec import exercise
from .subject import Subject

MEGABYTE = 2**20
MEMORY = 6  # MB. All differences at once take 16 MB in the example below (8 MB as float32), a table of distances 0.25
MEMORY_HINT = (
    "An array of shape (patches, words, D) holds every difference at once: gigabytes for real images. Multiply out the "
    "square as in N01, where the middle term is one matrix product, or go word by word."
)
KMEANS_SLIPS = {  # the slips that `clustered` can make on purpose, and what to tell someone who made one
    "unmoved": "These are the first words: after assigning the patches, move each word to the mean of its patches.",
    "farthest": "Each patch belongs to the nearest word, yours to the farthest.",
    "no-square": "You compare only the products of patch and word. The word's own square, w.w, matters too: it differs "
    "from word to word.",
    "l1": "Nearest is meant in the ordinary (L2) distance, not in the sum of absolute differences.",
    "sum": "A word is the mean of its patches, yours is their sum.",
    "whole-mean": "Divide the sum of a word's patches by the number of its own patches, not of all patches.",
    "median": "A word is the mean of its patches, yours is their median.",
    "nearest-patch": "You let each word take one patch. It is the other way round: each patch takes its nearest word, "
    "then each word becomes the mean of all patches that took it.",
    "one-step-only": "Each step assigns the patches anew, to the words where they are now. Your patches stay with the "
    "first words however many steps are asked.",
    "extra-step": "You take one step more than num_steps.",
    "step-missing": "You take one step less than num_steps.",
    "empty-zero": "A word that no patch chose became zeros: it stays where it is.",
    "tie-later": "A patch as near to one word as to another belongs to the one with the lower index.",
}
BOVW_SLIPS = {  # the same for `encoded`
    "counts": "These are counts. Divide by the number of patches of the image, so that its numbers sum to 1.",
    "whole-batch": "You divide by the patches of all images together: divide by those of one image.",
    "per-word": "Each row, an image, must sum to 1. You made each column, a word, sum to 1.",
    "presence": "You only note whether a word occurs. Say how often.",
    "unit-length": "The numbers of an image are shares: divide by their sum, not by their length.",
    "pooled": "Every image got the same numbers: count the words of each image apart.",
    "farthest": "A patch is written as the nearest word, yours as the farthest.",
    "no-square": "You compare only the products of patch and word. The word's own square, w.w, matters too.",
    "l1": "Nearest is meant in the ordinary (L2) distance, not in the sum of absolute differences.",
    "tie-later": "A patch as near to one word as to another is written as the one with the lower index.",
}


def nearest_words(patches: list[list[float]], words: list[list[float]], slip: str = "") -> list[int]:
    """Return the index of the word nearest to each patch, the lower of several, by the standard library."""

    def far(patch: list[float], word: list[float]) -> float:
        if slip == "l1":
            return math.fsum(abs(p - w) for p, w in zip(patch, word, strict=True))
        if slip == "no-square":
            return -math.fsum(p * w for p, w in zip(patch, word, strict=True))
        return -math.dist(patch, word) if slip == "farthest" else math.dist(patch, word)

    order = range(len(words))
    if slip == "tie-later":
        order = range(len(words) - 1, -1, -1)
    return [min(order, key=lambda k: far(patch, words[k])) for patch in patches]


def clustered(patches: np.ndarray, first_words: np.ndarray, steps: int, slip: str = "") -> np.ndarray:
    """Return the words (K, D) after some steps of k-means, by loops and the standard library.

    slip : a mistake to make on purpose, one of `KMEANS_SLIPS`
    """
    rows, words = patches.astype(float).tolist(), first_words.astype(float).tolist()
    steps = {"unmoved": 0, "one-step-only": min(steps, 1), "extra-step": steps + 1, "step-missing": steps - 1}.get(
        slip, steps
    )
    for _ in range(steps):
        chosen = nearest_words(rows, words, slip)
        if slip == "nearest-patch":
            chosen = nearest_words(words, rows)
            words = [rows[i] for i in chosen]
            continue
        for k in range(len(words)):
            mine = [row for row, choice in zip(rows, chosen, strict=True) if choice == k]
            if mine:
                size = {"sum": 1, "whole-mean": len(rows)}.get(slip, len(mine))
                middle = statistics.median if slip == "median" else lambda values, n=size: math.fsum(values) / n
                words[k] = [middle(column) for column in zip(*mine, strict=True)]
            elif slip == "empty-zero":
                words[k] = [0.0] * len(words[k])
    return np.array(words)


def _slipped(make: Callable[[str], np.ndarray], slips: dict[str, str], rtol: float = 1e-5) -> list[Symptom]:
    """Return a symptom for each slip; what it would give is computed only when something is wrong."""

    def relation(slip: str) -> Callable[[np.ndarray], bool]:
        return lambda got: looks_like(make(slip), rtol=rtol)(got)

    return [Symptom(slip, relation(slip), hint) for slip, hint in slips.items()]


def words_close(
    subject: Subject, patches: np.ndarray, first_words: np.ndarray, report: Report, *, steps: int, rtol: float = 1e-5
) -> np.ndarray:
    """Require the right words after some steps; return them."""
    got = report.array(subject(patches, first_words, num_steps=steps), first_words.shape, name="the words")
    empty = "A word that no patch chose has no mean: 0 / 0 is nan, and nan stays for ever. Leave it where it is."
    report.require(bool(np.isfinite(got).all()), "a word became nan or infinite", hint=empty, symptom="empty-nan")
    symptoms = _slipped(lambda slip: clustered(patches, first_words, steps, slip), KMEANS_SLIPS)
    report.close(got, clustered(patches, first_words, steps), rtol=rtol, atol=rtol, name="words", symptoms=symptoms)
    return got


def scatter(patches: np.ndarray, words: np.ndarray) -> float:
    """Return the sum of the squared distances of the patches to their nearest words: what k-means makes small."""
    rows, centres = patches.tolist(), words.tolist()
    return math.fsum(min(math.dist(row, word) ** 2 for word in centres) for row in rows)


@exercise("feat-build_codebook", points=6, title="a codebook by k-means")
def examine_codebook(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    words, d = (int(size) for size in rng.permutation([3, 4, 5, 6])[:2])
    patches = 1 + rng.normal(size=(60, d))  # without clear groups, so that many steps are needed
    first = patches[rng.permutation(60)[:words]] + 0.1
    with report.stage("shape and dtype"):
        call = subject.call(patches, first)
        report.array(call.value, (words, d), name="the words")
    with report.stage("inputs untouched"):
        report.untouched(call, ["patches", "first_words"])
    with report.stage("one step by hand"):
        line = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [10.0, 1.0], [14.0, 4.0]])
        start = np.array([[0.5, 1.0], [9.0, 1.0]])
        got = report.array(subject(line, start, num_steps=1), (2, 2), name="the words")
        by_hand = np.array([[1.0, 1.0], [12.0, 2.5]])
        symptoms = _slipped(lambda slip: clustered(line, start, 1, slip), KMEANS_SLIPS)
        report.close(got, by_hand, rtol=1e-5, name="words", symptoms=symptoms)
    with report.stage("one step"):
        words_close(subject, patches, first, report, steps=1)
    with report.stage("no step, three and five"):
        words_close(subject, patches, first, report, steps=0)
        words_close(subject, patches, first, report, steps=3)
        words_close(subject, patches, first, report, steps=5)
    with report.stage("steps left out"):
        line = np.cumsum(np.linspace(1, 0.2, 60))[:, None]  # words crawl along it, one patch a step
        ten = report.array(subject(line, line[:3], num_steps=10), (3, 1))
        report.default(report.array(subject(line, line[:3]), (3, 1)), ten, "num_steps=10")
    with report.stage("a word that no patch chooses"):
        lonely = first.copy()
        lonely[1] = 50.0
        words_close(subject, patches, lonely, report, steps=3)
    with report.stage("ties"):
        between = np.array([[0.0], [2.0], [4.0], [9.0]])
        words_close(subject, between, np.array([[1.0], [3.0], [9.0]]), report, steps=1)
    with report.stage("uint8 patches"):
        pixels = rng.integers(0, 256, size=(40, d), dtype=np.uint8)
        got = subject(pixels, pixels[:words], num_steps=2)
        right = clustered(pixels, pixels[:words], 2)
        report.require(
            isinstance(got, np.ndarray) and got.shape == right.shape and bool(np.allclose(got, right, rtol=1e-4)),
            "with uint8 patches and first words, the words are wrong",
            hint="A mean falls between whole numbers, and squares of bytes do not fit a byte: convert both to float.",
            symptom="integer-words",
        )
    with report.stage("float32 and column order"):
        columns = np.asfortranarray(patches, dtype=np.float32)
        words_close(subject, columns, first.astype(np.float32), report, steps=1, rtol=1e-3)
    with report.stage("steps never make it worse"):
        scatters = [scatter(patches, report.array(subject(patches, first, num_steps=t), first.shape)) for t in range(6)]
        report.require(
            all(b <= a * (1 + 1e-6) for a, b in itertools.pairwise(scatters)),
            f"the squared distances to the words go up: {', '.join(f'{s:.4g}' for s in scatters)}",
            hint="Both halves of a step can only shorten them: look at how you assign, then at how you average.",
            symptom="scatter-rises",
        )
    with report.stage("the best of all splits"):
        _require_best_split(subject, rng, report)
    with report.stage("memory"):
        big = rng.normal(size=(1000, 64))
        require_memory(subject.call(big, big[:32], num_steps=1, measure=True).peak, report)


def _require_best_split(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    """Require the better of all ways to split nine far-grouped points in two: a case small enough to try them all."""
    points = np.concatenate([rng.normal(size=(4, 2)), rng.normal(size=(5, 2)) + 12])
    best = min(
        scatter(points, np.array([points[side].mean(axis=0), points[~side].mean(axis=0)]))
        for side in (np.array(bits) for bits in itertools.product([False, True], repeat=9))
        if side.any() and not side.all()
    )
    got = scatter(points, report.array(subject(points, points[[0, 8]], num_steps=8), (2, 2)))
    report.require(got <= best * (1 + 1e-6), f"the squared distances sum to {got:.4g}; {best:.4g} is possible")


def require_memory(peak: int, report: Report) -> None:
    """Require that 1,000 patches against 32 words of 64 numbers did not take an array of all differences."""
    report.require(
        peak <= MEMORY * MEGABYTE,
        f"1,000 patches and 32 words of 64 numbers took {peak / MEGABYTE:.0f} MB; at most {MEMORY} MB are allowed",
        hint=MEMORY_HINT,
        symptom="memory",
    )


def encoded(patches: np.ndarray, words: np.ndarray, slip: str = "") -> np.ndarray:
    """Return the share of each word in each image, (N, K), by loops. slip : one of `BOVW_SLIPS`"""
    table = np.zeros((len(patches), len(words)))
    for row, image in zip(table, patches.astype(float).tolist(), strict=True):
        for k in nearest_words(image, words.astype(float).tolist(), slip):
            row[k] += 1
    if slip == "pooled":
        return np.repeat(table.sum(axis=0, keepdims=True), len(table), axis=0) / table.sum()
    if slip == "per-word":
        return table / np.maximum(table.sum(axis=0), 1)
    if slip == "presence":
        return (table > 0).astype(float)
    if slip == "unit-length":
        return table / np.array([math.hypot(*row) for row in table.tolist()])[:, None]
    if slip == "counts":
        return table
    return table / (table.sum() if slip == "whole-batch" else patches.shape[1])


def shares_close(subject: Subject, patches: np.ndarray, words: np.ndarray, report: Report) -> None:
    """Require the right shares of words."""
    got = report.array(subject(patches, words), (len(patches), len(words)), name="the shares")
    symptoms = _slipped(lambda slip: encoded(patches, words, slip), BOVW_SLIPS)
    report.close(got, encoded(patches, words), rtol=1e-5, atol=1e-6, name="shares", symptoms=symptoms)


@exercise("feat-encode_bovw", points=4, title="images as bags of visual words")
def examine_bovw(subject: Subject, rng: np.random.Generator, report: Report) -> None:
    n, p, k, d = distinct_sizes(rng, 4)
    words = 2 * rng.normal(size=(k, d))
    words[0] *= 3  # words of different lengths: the product alone does not tell the nearest
    patches = words[rng.integers(0, k, size=(n, p))] + rng.normal(size=(n, p, d))
    with report.stage("shape and dtype"):
        call = subject.call(patches, words)
        report.array(call.value, (n, k), name="the shares")
    with report.stage("inputs untouched"):
        report.untouched(call, ["patches", "words"])
    with report.stage("by hand"):
        line = np.array([[[0.0], [1.0], [1.0], [4.0]], [[5.0], [4.0], [6.0], [8.0]]])
        by_hand = np.array([[0.75, 0.25, 0.0], [0.0, 0.75, 0.25]])
        book = np.array([[0.0], [5.0], [9.0]])
        got = report.array(subject(line, book), (2, 3), name="the shares")
        symptoms = _slipped(lambda slip: encoded(line, book, slip), BOVW_SLIPS)
        report.close(got, by_hand, rtol=1e-5, atol=1e-6, name="shares", symptoms=symptoms)
    with report.stage("values"):
        shares_close(subject, patches, words, report)
    with report.stage("words that never occur"):
        rare = np.concatenate([words, np.full((2, d), 90.0)])
        shares_close(subject, patches, rare, report)
        shares_close(subject, patches[:1], rare, report)
    with report.stage("ties"):
        shares_close(subject, np.array([[[2.0], [4.0], [9.0]]]), np.array([[3.0], [1.0], [5.0]]), report)
    with report.stage("uint8, float32, column order"):
        shares_close(subject, rng.integers(0, 256, size=(2, 6, d), dtype=np.uint8), 128 + 20 * words, report)
        shares_close(subject, np.asfortranarray(patches, dtype=np.float32), words.astype(np.float32), report)
    with report.stage("memory"):
        big = rng.normal(size=(10, 100, 64))
        require_memory(subject.call(big, big[0, :32], measure=True).peak, report)
