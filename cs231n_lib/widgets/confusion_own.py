"""The confusion browser on images that the student gives: what may be given, and what is asked of it then."""

import dataclasses
from typing import Any

import numpy as np

from .base import Choice, Model
from .confusion_data import ANY, Browse

DRAWN_ONLY = ("classifier", "split", "grid")  # there is one classifier, one set of images, and no other to compare with
CHALLENGE = (
    ("Which two classes will be confused most? Name them before you look, and what their images share.",
     "The status line names the pair. Open its cell: what the images share is what your classifier looks at, often a "
     "colour, or what is around the thing."),
    ("Click a cell, then the one on the other side of the diagonal. Is one class taken for the other as often as the "
     "other for the one?",
     "Often not. A classifier that says a class too readily fills its column: its recall is high and its precision "
     "low. The bars show both."),
    ("Show only mistakes, highest loss first. Are these mistakes of the classifier, or of the label?",
     "Look at each. A classifier that is right and sure against a wrong label pays the highest loss; in real data "
     "some labels are wrong, and this order finds them."),
)  # fmt: skip


def for_own(model: Model, names: tuple[str, ...]) -> Model:
    """Return the browser of given images: their classes in its menus, and without what only drawn images have."""
    controls = tuple(
        dataclasses.replace(control, options=(ANY, *names))
        if isinstance(control, Choice) and control.field in ("truth", "guess")
        else control
        for control in model.controls
        if control.field not in DRAWN_ONLY
    )
    return dataclasses.replace(model, controls=controls, challenge=CHALLENGE, valid=_valid)


def _valid(state: Browse) -> str:
    """Return what is wrong with the fields that have no control here."""
    moved = [name for name in DRAWN_ONLY if getattr(state, name) != getattr(Browse(), name)]
    return f"{moved[0]} has no meaning for images of your own; leave it out" if moved else ""


def misfit(predict: Any, images: Any, labels: Any, class_names: Any) -> str:
    """Return what is wrong with what was given, "" if nothing."""
    if predict is None or images is None or labels is None or class_names is None:
        return "confusion_browser: images, labels and class_names must come together, and with predict"
    names = list(class_names)
    if not 2 <= len(names) <= 10 or len({*names, ANY}) != len(names) + 1 or not all(isinstance(n, str) for n in names):
        return f"confusion_browser: class_names must be 2 to 10 different names, none of them {ANY!r}, got {names!r}"
    shape = np.shape(images)
    if getattr(images, "dtype", None) != np.uint8 or shape[1:] != (32, 32, 3) or not shape[0]:
        found = f"{getattr(images, 'dtype', type(images).__name__)} {shape}"
        return f"confusion_browser: images must be uint8 (N, 32, 32, 3), got {found}"
    kind = np.asarray(labels).dtype.kind
    if np.shape(labels) != shape[:1] or kind not in "iu" or not np.isin(labels, np.arange(len(names))).all():
        return (
            f"confusion_browser: labels must be {shape[0]} whole numbers from 0 to {len(names) - 1}, "
            f"got {kind} {np.shape(labels)}"
        )
    return ""
