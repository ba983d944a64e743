"""Planted bugs of N06, last third: settings that do not train, and wrong answers about depth and scale."""

from tests.mutants import wrong_answer

OVERFIT = "deep-overfit"
for name, scale, rate, symptom in (
    ("too_small_a_scale", 1e-3, 1e-2, "asleep"),
    ("too_small_a_scale_and_long_steps", 1e-2, 1e-1, "asleep"),
    ("a_third_of_the_scale", 5e-2, 1e-1, "not-by-heart"),
    ("too_short_steps", 0.13, 1e-3, "not-by-heart"),
    ("too_long_steps", 0.13, 5.0, "diverged"),
    ("exploding_scale", 3.0, 1e-2, "diverged"),
):
    wrong_answer(OVERFIT, name, {"weight_scale": scale, "learning_rate": rate}, symptom=symptom)
wrong_answer(OVERFIT, "no_rate", {"weight_scale": 0.1}, symptom="keys")
wrong_answer(OVERFIT, "text", {"weight_scale": "0.1", "learning_rate": 0.1}, symptom="range")
wrong_answer(OVERFIT, "negative_rate", {"weight_scale": 0.1, "learning_rate": -0.1}, symptom="range")

TRAIN = "deep-train"
GOOD = {
    "hidden_dims": [256, 128],
    "rule": "adam",
    "learning_rate": 1e-3,
    "reg": 1e-4,
    "batch_size": 100,
    "num_epochs": 5,
}
for name, change, symptom in (
    ("far_too_short_steps", {"learning_rate": 1e-6}, "at-chance"),
    ("sgd_with_the_rate_of_adam", {"rule": "sgd", "learning_rate": 1e-4}, "at-chance"),
    ("adam_with_the_rate_of_sgd", {"learning_rate": 0.1}, "at-chance"),
    ("momentum_too_fast", {"rule": "momentum", "learning_rate": 10.0}, "diverged"),
    ("all_weight_on_reg", {"reg": 1.0}, "at-chance"),
    ("two_units", {"hidden_dims": [2, 2]}, "at-chance"),
    ("slow", {"rule": "sgd", "learning_rate": 1e-3}, "undertrained"),
    ("unknown_rule", {"rule": "lion"}, "rule"),
    ("one_layer", {"hidden_dims": [100]}, "hidden-dims"),
    ("a_number_for_a_list", {"hidden_dims": 100}, "hidden-dims"),
    ("thousand_wide", {"hidden_dims": [1000, 100]}, "hidden-dims"),
    ("batch_of_one", {"batch_size": 1}, "range"),
    ("a_hundred_epochs", {"num_epochs": 100}, "range"),
):
    wrong_answer(TRAIN, name, GOOD | change, symptom=symptom)

DEPTH = "deep-q1"
wrong_answer(DEPTH, "numbers", {1, 2}, symptom="letters")
wrong_answer(DEPTH, "a_sentence", "A and D", symptom="not-set")
wrong_answer(DEPTH, "every_letter", set("ABCDEF"), points=1.0)
wrong_answer(DEPTH, "half_of_the_right_ones", {"A", "C"}, points=1.0)
wrong_answer(DEPTH, "small_weights_need_a_large_rate", {"A", "C", "F"}, points=0.5)
