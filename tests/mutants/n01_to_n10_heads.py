"""Planted mistakes that show only where arguments are left out or numbers are small: the reference, bent a little."""

import inspect
from functools import cache

import numpy as np

from tests.cells import graded_name, namespace
from tests.mutants import wrong_answer


@cache
def reference(notebook, exercise_id):
    return namespace(notebook, "setup", "solution")[graded_name(notebook, exercise_id)]


def other_default(notebook, exercise_id, symptom="default", **defaults):
    """Register the reference with another default in its head."""

    def answer(*args, **kwargs):
        right = reference(notebook, exercise_id)
        bound = inspect.signature(right).bind(*args, **kwargs)
        for name, value in defaults.items():
            bound.arguments.setdefault(name, value)
        return right(*bound.args, **bound.kwargs)

    wrong_answer(exercise_id, "_".join(["other_default", *defaults]), answer, symptom=symptom)


other_default("a1/N01_knn.py", "knn-cross_validate", num_folds=6)
other_default("a1/N04_two_layer_net.py", "net-TwoLayerNet", reg=1.0)
other_default("a1/N05_features.py", "feat-build_codebook", num_steps=11)
other_default("a2/N10_convnet.py", "fast-conv_forward", stride=2)
other_default("a2/N10_convnet.py", "fast-conv_forward", pad=1)
other_default("a2/N10_convnet.py", "fast-groupnorm_forward", eps=1.0)
other_default("a2/N10_convnet.py", "fast-equivariance_gap", stride=2)
other_default("a2/N10_convnet.py", "fast-equivariance_gap", border=1)
other_default("a2/N10_convnet.py", "fast-ThreeLayerConvNet", reg=1.0)


def loud_images_only(gray, **options):
    """Divides by the length only where it is more than 1."""
    hog = reference("a1/N05_features.py", "feat-hog_feature")(gray, **options)
    return hog if np.ptp(gray) > 1 else hog / 100


def whole_numbers_only(images, **options):
    """Rounds the channels, as if only bytes could come."""
    return reference("a1/N05_features.py", "feat-hue_histogram")(np.round(images), **options)


def first_layer_forgotten(params, **norms):
    """Makes no state for the first hidden layer."""
    net = reference("a2/N07_normalization.py", "norm-NormalizedNet")(params, **norms)
    del net.state["mean1"], net.state["var1"]
    return net


wrong_answer("feat-hog_feature", "loud_images_only", loud_images_only, symptom="not-unit-length")
wrong_answer("feat-hue_histogram", "whole_numbers_only", whole_numbers_only, symptom="values")
wrong_answer("norm-NormalizedNet", "first_layer_forgotten", first_layer_forgotten, symptom="fresh-state")
