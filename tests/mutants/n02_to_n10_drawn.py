"""Planted mistakes in the questions with drawn numbers: what each makes of the numbers, worked out by hand."""

import math

import numpy as np

from tests.mutants import drawn_slips, wrong_answer


def _label(n):
    return ["first", "second", "third"].index(n["label"])


def _share(n):
    return np.exp(n["scores"][_label(n)]) / np.exp(n["scores"]).sum()


def _power(n):
    rows, error = max(n["table"].items())
    return min((0.5, 1, 2), key=lambda power: abs(1 - rows**-power - error))


def _mistake(n):
    ends = {
        0.5: "by the square root of the number of rows",
        1: "by the number of rows",
        2: "by the number of rows twice",
    }
    return f"divides {ends[_power(n)]}"


def _features(n):
    return n["height"] * n["width"] // n["cell"] ** 2 * n["bins"] + n["hues"] + n["words"]


def _gap(n):
    return n["batch"][0] - np.mean(n["batch"])


def _places(n):
    return math.prod((n[side] + 2 * n["pad"] - n["kernel"]) // n["stride"] + 1 for side in ("height", "width"))


def _convnet(n, places):
    return n["filters"] * (3 * n["size"] ** 2 + 1) + (n["filters"] * places + 1) * n["hidden"] + (n["hidden"] + 1) * 10


drawn_slips(
    "softmax-q1",
    log2=lambda n: {"first_loss": np.log2(n["classes"])},
    log10=lambda n: {"first_loss": np.log10(n["classes"])},
    probability=lambda n: {"first_loss": 1 / n["classes"]},
    sign=lambda n: {"first_loss": np.log(1 / n["classes"])},
    ten_classes=lambda n: {"first_loss": 2.303},
    all_classes=lambda n: {"first_loss": n["classes"] * np.log(n["classes"])},
    no_exp=lambda n: {"probability": np.array(n["scores"])[_label(n)] / np.sum(n["scores"])},
    not_divided=lambda n: {"probability": np.exp(n["scores"][_label(n)])},
    log2__loss=lambda n: {"loss": -np.log2(_share(n))},
    log10__loss=lambda n: {"loss": -np.log10(_share(n))},
    probability__loss=lambda n: {"loss": _share(n)},
    sign__loss=lambda n: {"loss": np.log(_share(n))},
    score=lambda n: {"loss": -n["scores"][_label(n)]},
    values__rounded_too_early=lambda n: {"loss": -np.log(round(_share(n), 1) + 0.01)},
)


drawn_slips(
    "grad-q2",
    does_not_grow__sign=lambda n: {"mistake": n["options"].index("has the wrong sign") + 1},
    does_not_grow__twice=lambda n: {"mistake": n["options"].index("is twice as large as it should be") + 1},
    counted_from_0=lambda n: {"mistake": 0},
    error=lambda n: {"share": 1 - n["next_rows"] ** -_power(n)},
    inverse=lambda n: {"share": n["next_rows"] ** _power(n)},
    values__read_from_the_table=lambda n: {"share": 1 - list(n["table"].values())[2]},
)

drawn_slips(
    "net-q2",
    no_biases=lambda n: {"parameters": n["hidden"] * (3 * n["height"] * n["width"] + n["classes"])},
    one_bias_each=lambda n: {"parameters": n["hidden"] * (3 * n["height"] * n["width"] + n["classes"]) + 2},
    one_channel=lambda n: {
        "parameters": n["hidden"] * (n["height"] * n["width"] + 1) + n["classes"] * (n["hidden"] + 1)
    },
    linear=lambda n: {"parameters": (n["height"] * n["width"] * 3 + 1) * n["classes"]},
    biases_too=lambda n: {
        "multiplications": n["hidden"] * (3 * n["height"] * n["width"] + 1) + n["classes"] * (n["hidden"] + 1)
    },
    one_layer=lambda n: {"multiplications": n["hidden"] * 3 * n["height"] * n["width"]},
    twice=lambda n: {"reg_gradient": 2 * n["reg"] * n["weight"]},
    half=lambda n: {"reg_gradient": 0.5 * n["reg"] * n["weight"]},
    penalty=lambda n: {"reg_gradient": 0.5 * n["reg"] * n["weight"] ** 2},
    sign=lambda n: {"reg_gradient": -n["reg"] * n["weight"]},
    values=lambda n: {"parameters": n["height"], "multiplications": n["width"], "reg_gradient": 5},
)

drawn_slips(
    "feat-q2",
    cells=lambda n: {"hog": n["height"] * n["width"] // n["cell"] ** 2},
    square=lambda n: {"hog": (n["height"] // n["cell"]) ** 2 * n["bins"]},
    colours=lambda n: {"hog": 3 * n["height"] * n["width"] // n["cell"] ** 2 * n["bins"]},
    no_overlap=lambda n: {"patches": (n["height"] // n["patch"]) * (n["width"] // n["patch"])},
    one_missing=lambda n: {
        "patches": ((n["height"] - n["patch"]) // n["stride"]) * ((n["width"] - n["patch"]) // n["stride"])
    },
    no_bias=lambda n: {"weights": _features(n) * n["classes"]},
    one_class=lambda n: {"weights": _features(n) + 1},
    values=lambda n: {"weights": _features(n) * n["classes"] + 1},
)

drawn_slips(
    "deep-q2",
    rate_only=lambda n: {"sgd": n["learning_rate"]},
    like_sgd__momentum=lambda n: {"momentum": n["learning_rate"] * n["gradient"]},
    one_step_short=lambda n: {
        "momentum": n["learning_rate"] * n["gradient"] * (1 / (1 - n["momentum"]) - 1),
    },
    averaged=lambda n: {"momentum": n["learning_rate"] * n["gradient"] * (1 - n["momentum"])},
    like_rmsprop=lambda n: {"adagrad": n["learning_rate"]},
    no_root=lambda n: {"adagrad": n["learning_rate"] / 1e4},
    squared_gradient=lambda n: {"adagrad": n["learning_rate"] * n["gradient"] / 100},
    like_sgd__rmsprop=lambda n: {"rmsprop": n["learning_rate"] * n["gradient"]},
    like_sgd__adam=lambda n: {"adam": n["learning_rate"] * n["gradient"]},
    first_step=lambda n: {"adam": n["learning_rate"] / 10},
    values__three_percent_off=lambda n: {"sgd": 1.03 * n["learning_rate"] * n["gradient"]},
    values__backwards=lambda n: {"sgd": -n["learning_rate"] * n["gradient"]},
)

drawn_slips(
    "norm-q5",
    no_root=lambda n: {"first_out": n["gamma"] * _gap(n) / np.var(n["batch"]) + n["beta"]},
    sample=lambda n: {"first_out": n["gamma"] * _gap(n) / np.std(n["batch"], ddof=1) + n["beta"]},
    no_gamma_beta=lambda n: {"first_out": _gap(n) / np.std(n["batch"])},
    no_beta=lambda n: {"first_out": n["gamma"] * _gap(n) / np.std(n["batch"])},
    beta_first=lambda n: {"first_out": n["gamma"] * (_gap(n) / np.std(n["batch"]) + n["beta"])},
    swapped__mean=lambda n: {"running_mean": n["momentum"] * np.mean(n["batch"])},
    batch__mean=lambda n: {"running_mean": np.mean(n["batch"])},
    swapped__var=lambda n: {"running_var": 1 - n["momentum"] + n["momentum"] * np.var(n["batch"])},
    batch__var=lambda n: {"running_var": np.var(n["batch"])},
    sample__var=lambda n: {"running_var": n["momentum"] + (1 - n["momentum"]) * np.var(n["batch"], ddof=1)},
    deviation=lambda n: {"running_var": n["momentum"] + (1 - n["momentum"]) * np.std(n["batch"])},
    from_zero=lambda n: {"running_var": (1 - n["momentum"]) * np.var(n["batch"])},
)

drawn_slips(
    "drop-q1",
    keep_is_drop__mean=lambda n: {"mean_plain": n["x"] * (1 - n["keep"])},
    divided=lambda n: {"mean_plain": n["x"]},
    kept_value=lambda n: {"mean_divided": n["x"] / n["keep"]},
    plain__mean=lambda n: {"mean_divided": n["x"] * n["keep"]},
    plain__variance=lambda n: {"variance_divided": n["keep"] * (1 - n["keep"]) * n["x"] ** 2},
    keep_is_drop__variance=lambda n: {"variance_divided": n["x"] ** 2 * (1 / (1 - n["keep"]) - 1)},
    second_moment=lambda n: {"variance_divided": n["keep"] * (n["x"] / n["keep"]) ** 2},
    deviation=lambda n: {"variance_divided": n["x"] * math.sqrt(1 / n["keep"] - 1)},
    one_layer=lambda n: {"times_too_large": 1 / n["keep"]},
    added=lambda n: {"times_too_large": n["layers"] / n["keep"]},
    inverse=lambda n: {"times_too_large": n["keep"] ** n["layers"]},
    keep_is_drop__layers=lambda n: {"times_too_large": 1 / (1 - n["keep"]) ** n["layers"]},
)
wrong_answer("drop-q1", "a list", [2.5, 10, 300, 64], symptom="keys")
RIGHT = {"mean_plain": 2.5, "mean_divided": 10, "variance_divided": 300, "times_too_large": 64}
wrong_answer("drop-q1", "a word", RIGHT | {"mean_plain": "2.5"}, symptom="not-number")
wrong_answer("drop-q1", "a nan", RIGHT | {"mean_plain": float("nan")}, symptom="not-number")
wrong_answer("drop-q1", "a truth", RIGHT | {"mean_plain": True}, symptom="not-number")
wrong_answer("drop-q1", "a complex number", RIGHT | {"mean_plain": 2.5 + 0j}, symptom="not-number")

drawn_slips(
    "conv-q1",
    no_pad__height=lambda n: {"height": (n["height"] - n["kernel"]) // n["stride"] + 1},
    no_pad__width=lambda n: {"width": (n["width"] - n["kernel"]) // n["stride"] + 1},
    no_stride=lambda n: {"height": n["height"] + 2 * n["pad"] - n["kernel"] + 1},
    one_short=lambda n: {"width": (n["width"] + 2 * n["pad"] - n["kernel"]) // n["stride"]},
    no_bias=lambda n: {"parameters": n["filters"] * n["channels"] * n["kernel"] ** 2},
    one_channel__weights=lambda n: {"parameters": n["filters"] * (n["kernel"] ** 2 + 1)},
    bias_per_channel=lambda n: {"parameters": n["filters"] * n["channels"] * n["kernel"] ** 2 + n["channels"]},
    one_place=lambda n: {"multiply_adds": n["filters"] * n["channels"] * n["kernel"] ** 2},
    one_filter=lambda n: {"multiply_adds": _places(n) * n["channels"] * n["kernel"] ** 2},
    one_channel__products=lambda n: {"multiply_adds": _places(n) * n["filters"] * n["kernel"] ** 2},
    input_places=lambda n: {
        "multiply_adds": n["height"] * n["width"] * n["filters"] * n["channels"] * n["kernel"] ** 2
    },
    times=lambda n: {"reach": n["layers"] * n["kernel"]},
    power=lambda n: {"reach": n["kernel"] ** n["layers"]},
    no_start=lambda n: {"reach": n["layers"] * (n["kernel"] - 1)},
)

drawn_slips(
    "fast-q1",
    one_channel__rows=lambda n: {"rows": n["size"] ** 2},
    filters_too=lambda n: {"rows": 3 * n["size"] ** 2 * n["filters"]},
    one_image=lambda n: {"columns": n["side"] ** 2},
    no_pad=lambda n: {"columns": n["images"] * (n["side"] - n["size"] + 1) ** 2},
    channels_too=lambda n: {"growth": 3 * n["size"] ** 2},
    one_axis=lambda n: {"growth": n["size"]},
    no_pool=lambda n: {"parameters": _convnet(n, n["side"] ** 2)},
    pool_one_axis=lambda n: {"parameters": _convnet(n, n["side"] ** 2 // 2)},
    no_biases=lambda n: {"parameters": _convnet(n, n["side"] ** 2 // 4) - n["filters"] - n["hidden"] - 10},
    one_channel__net=lambda n: {"parameters": _convnet(n, n["side"] ** 2 // 4) - 2 * n["filters"] * n["size"] ** 2},
)
