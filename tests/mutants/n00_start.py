"""Planted bugs of N00."""

import itertools

import numpy as np

from tests.mutants import bug, wrong_answer

HEALTHY = {"ok": True, "python": "3.11.7", "packages": {"numpy": "2.4.0"}, "problems": []}
wrong_answer("start-doctor", "the function instead of its result", "doctor", symptom="not-called")
wrong_answer("start-doctor", "a verdict without the table", True, symptom="not-called")
wrong_answer(
    "start-doctor", "a sick one", {**HEALTHY, "ok": False, "problems": ["torch is missing"]}, symptom="unhealthy"
)


@bug("start-row_means", symptom="keepdims")
def drops_the_axis(X):
    return X.mean(axis=1)


@bug("start-row_means", symptom="axis")
def means_of_columns(X):
    return X.mean(axis=0, keepdims=True)


@bug("start-row_means", symptom="sum")
def sums_rows(X):
    return X.sum(axis=1, keepdims=True)


@bug("start-row_means", "start-center_columns", symptom="no-return")
def forgets_return(X):
    X.mean(axis=1, keepdims=True)


@bug("start-row_means", symptom="not-array")
def one_number(X):
    return float(X.mean())


@bug("start-row_means", symptom="mutates")
def divides_in_place(X):
    X /= X.shape[1]
    return X.sum(axis=1, keepdims=True)


@bug("start-center_columns", symptom="axis")
def centres_rows(X):
    return X - X.mean(axis=1, keepdims=True)


@bug("start-center_columns", symptom="global-mean")
def subtracts_one_mean(X):
    return X - X.mean()


@bug("start-center_columns", symptom="mutates")
def centres_in_place(X):
    X -= X.mean(axis=0)
    return X


@bug("start-center_columns", symptom="only-means")
def returns_the_means(X):
    return np.broadcast_to(X.mean(axis=0), X.shape).copy()


@bug("start-center_columns", symptom="integer-result")
def keeps_the_integer_dtype(X):
    out = X.copy()
    out[:] = X - X.mean(axis=0)
    return out


@bug("start-one_hot", symptom="every-row")
def colon_for_all_rows(y, num_classes):
    out = np.zeros((len(y), num_classes))
    out[:, y] = 1
    return out


@bug("start-one_hot", symptom="off-by-one")
def labels_from_one(y, num_classes):
    out = np.zeros((len(y), num_classes))
    out[np.arange(len(y)), y - 1] = 1
    return out


@bug("start-one_hot", symptom="columns-from-y")
def counts_classes_in_y(y, num_classes):
    out = np.zeros((len(y), y.max() + 1))
    out[np.arange(len(y)), y] = 1
    return out


@bug("start-one_hot", symptom="shape")
def one_column_per_row(y, num_classes):
    return (np.arange(num_classes)[:, None] == y).astype(float)


@bug("start-one_hot", symptom="dtype")
def leaves_booleans(y, num_classes):
    return np.arange(num_classes) == y[:, None]


@bug("start-outer_sum", symptom="no-new-axis")
def adds_rows(a, b):
    return a + b


@bug("start-outer_sum", symptom="product")
def multiplies(a, b):
    return np.outer(a, b)


@bug("start-outer_sum", symptom="difference")
def subtracts(a, b):
    return a[:, None] - b


@bug("start-outer_sum", symptom="shape")
def swaps_rows_and_columns(a, b):
    return a + b[:, None]


@bug("start-outer_sum", symptom="transposed")
def swaps_when_nothing_tells(a, b):
    return a + b[:, None] if len(a) == len(b) else a[:, None] + b


@bug("start-pick_scores", symptom="every-row")
def colon_for_all_scores(scores, y):
    return scores[:, y]


@bug("start-pick_scores", symptom="whole-rows")
def rows_named_by_labels(scores, y):
    return np.vstack([scores, scores])[y]


@bug("start-pick_scores", symptom="largest")
def takes_the_maximum(scores, y):
    return scores.max(axis=1)


@bug("start-pick_scores", symptom="shape")
def leaves_a_column(scores, y):
    return np.take_along_axis(scores, y[:, None], axis=1)


@bug("start-to_chw", symptom="reshape")
def reshapes(images):
    n, h, w, c = images.shape
    return images.reshape(n, c, h, w)


@bug("start-to_chw", symptom="height-width")
def reverses_all_three(images):
    return images.transpose(0, 3, 2, 1)


@bug("start-to_chw", symptom="dtype")
def converts(images):
    return images.transpose(0, 3, 1, 2) / 255


@bug("start-to_chw", symptom="channel-order")
def swaps_red_and_blue(images):
    return images[..., ::-1].transpose(0, 3, 1, 2)


@bug("start-to_chw", symptom="shape")
def channels_before_images(images):
    return images.transpose(3, 0, 1, 2)


NUMBERS = {"integers": 1440000, "bytes_as_uint8": 1440000, "bytes_as_float32": 5760000, "lowest": 0, "highest": 255}
wrong_answer("start-image_numbers", "counts pixels", {**NUMBERS, "integers": 480000}, symptom="pixels")
wrong_answer("start-image_numbers", "bits for bytes", {**NUMBERS, "bytes_as_uint8": 11520000}, symptom="bits")
wrong_answer("start-image_numbers", "bits of a float", {**NUMBERS, "bytes_as_float32": 46080000}, symptom="bits")
wrong_answer("start-image_numbers", "256 values end at 256", {**NUMBERS, "highest": 256}, symptom="range")
wrong_answer("start-image_numbers", "starts at one", {**NUMBERS, "lowest": 1}, symptom="range")
wrong_answer("start-image_numbers", "float64", {**NUMBERS, "bytes_as_float32": 11520000}, symptom="values")
wrong_answer("start-image_numbers", "text", {**NUMBERS, "highest": "255"}, symptom="type")
wrong_answer("start-image_numbers", "one number", 1440000, symptom="keys")


@bug("start-classify_image", symptom="constant")
def always_a_cat(image):
    return 3


@bug("start-classify_image", symptom="not-int")
def says_the_name(image):
    return "ship" if image[..., 2].mean() > 128 else "frog"


@bug("start-classify_image", symptom="not-int")
def one_answer_per_row(image):
    return image.mean(axis=(1, 2)).astype(int) % 10


@bug("start-classify_image", symptom="range")
def counts_classes_from_one(image):
    return 1 + int(image.mean()) * 10 // 256


@bug("start-classify_image", symptom="none")
def forgets_the_other_branch(image):
    if image.mean() > 128:
        return 8


@bug("start-classify_image", symptom="random")
def guesses(image, calls=itertools.count()):  # noqa: B008 one counter for all calls is the bug
    return next(calls) % 7


@bug("start-classify_image", symptom="mutates")
def darkens_the_image(image):
    image //= 2
    return int(image.mean()) // 25


@bug("start-accuracy", symptom="count")
def counts_right_answers(predicted, y):
    return int((predicted.ravel() == y).sum())


@bug("start-accuracy", symptom="error-rate")
def counts_wrong_answers(predicted, y):
    return np.mean(predicted.ravel() != y)


@bug("start-accuracy", symptom="percent")
def in_percent(predicted, y):
    return 100 * np.mean(predicted.ravel() == y)


@bug("start-accuracy", symptom="broadcast")
def compares_all_pairs(predicted, y):
    return np.mean(predicted == y)


@bug("start-accuracy", symptom="not-number")
def forgets_the_mean(predicted, y):
    return predicted.ravel() == y
