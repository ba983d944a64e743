"""Planted bugs of N05, second half: codebooks, bags of words, whole features, and the question."""

import numpy as np

from tests.mutants import bug, wrong_answer
from tests.mutants.n05_features import hog, parts, tally, to_unit_length


def squares(patches, words):
    patches, words = np.asarray(patches, dtype=float), np.asarray(words, dtype=float)
    return (patches**2).sum(axis=1)[:, None] - 2 * patches @ words.T + (words**2).sum(axis=1)


def lloyd(patches, first_words, num_steps=10, *, choose=None, move=None):
    """k-means with exchangeable halves. choose : (patches, words) -> indices;  move : (own patches, word) -> word"""
    words, patches = np.array(first_words, dtype=float), np.asarray(patches, dtype=float)
    for _ in range(num_steps):
        nearest = (choose or (lambda p, w: squares(p, w).argmin(axis=1)))(patches, words)
        for k in range(len(words)):
            own = patches[nearest == k]
            if len(own):
                words[k] = own.mean(axis=0) if move is None else move(own, words[k])
    return words


@bug("feat-build_codebook", symptom="empty-nan")
def mean_of_nothing(patches, first_words, *, num_steps=10):
    words = np.array(first_words, dtype=float)
    for _ in range(num_steps):
        nearest = squares(patches, words).argmin(axis=1)
        words = np.array([patches[nearest == k].sum(axis=0) / np.sum(nearest == k) for k in range(len(words))])
    return words


@bug("feat-build_codebook", symptom="empty-zero")
def empty_words_become_zero(patches, first_words, *, num_steps=10):
    words = np.array(first_words, dtype=float)
    for _ in range(num_steps):
        nearest = squares(patches, words).argmin(axis=1)
        words = np.array([patches[nearest == k].sum(axis=0) / max(1, np.sum(nearest == k)) for k in range(len(words))])
    return words


@bug("feat-build_codebook", symptom="values")
def empty_words_move_to_a_patch(patches, first_words, *, num_steps=10):
    words = lloyd(patches, first_words, num_steps)
    for k in set(range(len(words))) - set(squares(patches, first_words).argmin(axis=1).tolist()):
        words[k] = patches[0] if num_steps else words[k]
    return words


@bug("feat-build_codebook", symptom="shape")
def loses_empty_words(patches, first_words, *, num_steps=10):
    words = lloyd(patches, first_words, num_steps)
    return words[np.unique(squares(patches, first_words).argmin(axis=1))]


@bug("feat-build_codebook", symptom="unmoved")
def returns_the_first_words(patches, first_words, *, num_steps=10):
    return np.array(first_words, dtype=float)


@bug("feat-build_codebook", symptom="one-step-only")
def never_assigns_again(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, min(num_steps, 1))


@bug("feat-build_codebook", symptom="extra-step")
def one_step_too_many(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps + (num_steps != 1))


@bug("feat-build_codebook", symptom="step-missing")
def one_step_too_few(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps - (num_steps > 1))


@bug("feat-build_codebook", symptom="farthest")
def assigns_to_the_farthest(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps, choose=lambda p, w: squares(p, w).argmax(axis=1))


@bug("feat-build_codebook", symptom="no-square")
def largest_product_wins(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps, choose=lambda p, w: (p @ w.T).argmax(axis=1))


@bug("feat-build_codebook", symptom="l1")
def nearest_by_absolute_differences(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps, choose=lambda p, w: np.abs(p[:, None] - w).sum(axis=2).argmin(axis=1))


@bug("feat-build_codebook", symptom="sum")
def sums_the_patches(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps, move=lambda own, word: own.sum(axis=0))


@bug("feat-build_codebook", symptom="whole-mean")
def divides_by_all_patches(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps, move=lambda own, word: own.sum(axis=0) / len(patches))


@bug("feat-build_codebook", symptom="median")
def takes_the_median(patches, first_words, *, num_steps=10):
    return lloyd(patches, first_words, num_steps, move=lambda own, word: np.median(own, axis=0))


@bug("feat-build_codebook", symptom="nearest-patch")
def each_word_takes_a_patch(patches, first_words, *, num_steps=10):
    words = np.array(first_words, dtype=float)
    for _ in range(num_steps):
        words = np.array(patches, dtype=float)[squares(patches, words).argmin(axis=0)]
    return words


@bug("feat-build_codebook", symptom="tie-later")
def last_of_equals(patches, first_words, *, num_steps=10):
    def choose(p, w):
        return len(w) - 1 - squares(p, w)[:, ::-1].argmin(axis=1)

    return lloyd(patches, first_words, num_steps, choose=choose)


@bug("feat-build_codebook", symptom="integer-words")
def keeps_the_dtype(patches, first_words, *, num_steps=10):
    words = first_words.copy()
    for _ in range(num_steps):
        nearest = squares(patches, words).argmin(axis=1)
        for k in range(len(words)):
            if (nearest == k).any():
                words[k] = patches[nearest == k].mean(axis=0)
    return words


@bug("feat-build_codebook", symptom="mutates")
def moves_the_first_words(patches, first_words, *, num_steps=10):
    first_words[:] = lloyd(patches, first_words, num_steps)
    return first_words.copy()


def nearest_of_all_differences(patches, words):
    return ((patches[:, None] - words) ** 2).sum(axis=2).argmin(axis=1)


@bug("feat-build_codebook", symptom="memory")
def all_differences_at_once(patches, first_words, *, num_steps=10):
    return lloyd(
        patches, first_words, num_steps, choose=lambda p, w: ((p[:, None] - w) ** 2).sum(axis=2).argmin(axis=1)
    )


def word_counts(patches, words, nearest=None):
    n, p, d = patches.shape
    nearest = squares(patches.reshape(-1, d), words).argmin(axis=1) if nearest is None else nearest
    return np.array([np.bincount(row, minlength=len(words)) for row in nearest.reshape(n, p)]).astype(float)


@bug("feat-encode_bovw", symptom="counts")
def counts_words(patches, words):
    return word_counts(patches, words)


@bug("feat-encode_bovw", symptom="whole-batch")
def shares_of_the_batch(patches, words):
    counts = word_counts(patches, words)
    return counts / counts.sum()


@bug("feat-encode_bovw", symptom="per-word")
def shares_per_word(patches, words):
    counts = word_counts(patches, words)
    return counts / np.maximum(counts.sum(axis=0), 1)


@bug("feat-encode_bovw", symptom="presence")
def notes_presence(patches, words):
    return (word_counts(patches, words) > 0).astype(float)


@bug("feat-encode_bovw", symptom="unit-length")
def rows_of_length_one(patches, words):
    return to_unit_length(word_counts(patches, words))


@bug("feat-encode_bovw", symptom="pooled")
def one_bag_for_all(patches, words):
    total = word_counts(patches, words).sum(axis=0, keepdims=True)
    return np.repeat(total, len(patches), axis=0) / total.sum()


@bug("feat-encode_bovw", symptom="farthest")
def farthest_words(patches, words):
    _, p, d = patches.shape
    return word_counts(patches, words, squares(patches.reshape(-1, d), words).argmax(axis=1)) / p


@bug("feat-encode_bovw", symptom="no-square")
def words_of_largest_product(patches, words):
    return word_counts(patches, words, (patches @ words.T).argmax(axis=2)) / patches.shape[1]


@bug("feat-encode_bovw", symptom="l1")
def words_by_absolute_differences(patches, words):
    nearest = np.abs(patches[:, :, None].astype(float) - words).sum(axis=3).argmin(axis=2)
    return word_counts(patches, words, nearest) / patches.shape[1]


@bug("feat-encode_bovw", symptom="tie-later")
def later_word_of_a_tie(patches, words):
    _, p, d = patches.shape
    nearest = len(words) - 1 - squares(patches.reshape(-1, d), words)[:, ::-1].argmin(axis=1)
    return word_counts(patches, words, nearest) / p


@bug("feat-encode_bovw", symptom="shape")
def forgets_unseen_words(patches, words):
    counts = word_counts(patches, words)
    return counts[:, : np.flatnonzero(counts.sum(axis=0)).max() + 1] / patches.shape[1]


@bug("feat-encode_bovw", symptom="memory")
def differences_of_all_patches_and_words(patches, words):
    nearest = ((patches[:, :, None] - words) ** 2).sum(axis=3).argmin(axis=2)
    return word_counts(patches, words, nearest) / patches.shape[1]


@bug("feat-encode_bovw", symptom="mutates")
def centres_the_patches_in_place(patches, words):
    shares = word_counts(patches, words) / patches.shape[1]
    patches -= patches.mean()
    return shares


def gray_of(images):
    return images @ np.array([0.299, 0.587, 0.114])


@bug("feat-extract_features", symptom="raw-pixels")
def the_pixels(images):
    return images.reshape(len(images), -1) / 255


@bug("feat-extract_features", symptom="no-gain")
def hues_alone(images):
    return tally(*(part / scale for part, scale in zip(parts(images), (1, 255), strict=True)), 10)


@bug("feat-extract_features", symptom="no-gain")
def gradients_without_cells(images):
    return hog(gray_of(images), 32)


@bug("feat-extract_features", symptom="batch-dependent")
def standardises_over_the_batch(images):
    features = hog(gray_of(images))
    return (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)


@bug("feat-extract_features", symptom="flat-nan")
def unguarded_length(images):
    return hog(gray_of(images), finish=lambda c: c.reshape(len(c), -1) / np.sqrt((c**2).sum(axis=(1, 2, 3)))[:, None])


@bug("feat-extract_features", symptom="constant")
def says_nothing(images):
    return np.ones((len(images), 5))


@bug("feat-extract_features", symptom="rows")
def features_down_the_rows(images):
    return hog(gray_of(images)).T


@bug("feat-extract_features", symptom="rows")
def stacks_images_below_each_other(images):
    return np.concatenate([hog(gray_of(images)), hog(255 - gray_of(images))], axis=0)


@bug("feat-extract_features", symptom="too-many")
def hands_on_everything(images):
    return np.concatenate([hog(gray_of(images)), images.reshape(len(images), -1)], axis=1)


@bug("feat-extract_features", symptom="mutates")
def darkens_the_images(images):
    features = hog(gray_of(images))
    images //= 2
    return features


def hog_feature(gray):
    raise NotImplementedError


@bug("feat-extract_features", symptom="calls-a-stub")
def calls_an_open_exercise(images):
    return hog_feature(gray_of(images))


KEY = {"A", "B", "D", "E", "H"}
wrong_answer("feat-q1", "a word", "ABD", symptom="not-set")
wrong_answer("feat-q1", "an unknown letter", {"A", "Z"}, symptom="letters")
wrong_answer("feat-q1", "one is missing", KEY - {"E"}, points=1.6)
wrong_answer("feat-q1", "one too many", KEY | {"F"}, points=1.6)
wrong_answer("feat-q1", "everything", set("ABCDEFGH"), points=0.8)
wrong_answer("feat-q1", "nothing", set())
wrong_answer("feat-q1", "the opposite", set("ABCDEFGH") - KEY)
