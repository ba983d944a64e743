"""Pictures made of pictures: a grid of images, the templates of a linear classifier, the filters of a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cs231n_lib.visualize.palette import INK, PANEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def to_unit(images: np.ndarray) -> np.ndarray:
    """Return each image stretched to 0..1 by its own smallest and largest value, float64, same shape (N, ...).

    A constant image, such as the filter of a dead unit, has no range to stretch: it becomes an even mid-grey, 0.5.
    """
    images = _finite("to_unit", np.asarray(images, dtype=np.float64))
    if images.size == 0:
        return images
    inner = tuple(range(1, images.ndim))
    low, high = images.min(axis=inner, keepdims=True), images.max(axis=inner, keepdims=True)  # (N, 1, ...)
    flat = high == low
    return np.where(flat, 0.5, (images - low) / np.where(flat, 1.0, high - low))


def image_grid(
    images: np.ndarray, *, captions: Sequence[str] | None = None, columns: int | None = None, title: str = "Images"
) -> Figure:
    """Return a figure of all images, row by row.

    images : (N, H, W, 3), (N, H, W, 1) or (N, H, W); uint8 in 0..255 or float in 0..1 (see `to_unit`)
    captions : one short text under each image
    columns : images per row; None makes the grid about as wide as high
    """
    from cs231n_lib.visualize.canvas import picture

    pixels = _as_unit_rgb(images)  # (N, H, W, 3)
    count, height, width = pixels.shape[:3]
    if captions is not None and len(captions) != count:
        raise ValueError(f"image_grid: captions must be one per image, got {len(captions)} for {count} images")
    columns = min(count, columns or int(np.ceil(np.sqrt(count))))
    rows = -(-count // columns)
    cell = 1.1 if captions is None else 1.35  # inches: a caption of ten letters fits under an image
    figure = picture(width=max(3.0, cell * columns), height=0.6 + cell * rows * height / width, title=title)
    side = max(1, round(0.06 * width))  # pixels between columns
    gap = side if captions is None else max(2, round(0.28 * height))  # between rows; a caption stands in it
    bottom = gap if captions is None else 0  # the last caption needs its gap
    canvas = np.ones((rows * (height + gap) - bottom, columns * (width + side) - side, 3))
    canvas *= [int(PANEL[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    ax = figure.add_subplot()
    for i in range(count):
        top, left = i // columns * (height + gap), i % columns * (width + side)
        canvas[top : top + height, left : left + width] = pixels[i]
        if captions is not None:
            middle = (left + (width - 1) / 2, top + height)
            ax.annotate(captions[i], middle, va="top", ha="center", color=INK, fontsize=8, annotation_clip=False)
    ax.imshow(canvas, interpolation="nearest")
    ax.set_axis_off()
    return figure


def class_templates(
    weights: np.ndarray, *, class_names: Sequence[str], image_shape: tuple[int, int, int] = (32, 32, 3)
) -> Figure:
    """Return a figure with the weights of each class drawn as the image that it answers to most.

    weights : (D, C) float, D = H * W * channels in the order of a flattened (H, W, channels) image; without a bias row
    image_shape : (H, W, channels)
    """
    weights = np.asarray(weights)
    size = int(np.prod(image_shape))
    if weights.shape != (size, len(class_names)):
        raise ValueError(
            f"class_templates: weights must be of shape ({size}, {len(class_names)}) for images {image_shape} and "
            f"{len(class_names)} classes, got {weights.shape}; leave out a bias row with weights[:-1]"
        )
    templates = to_unit(weights.T.reshape(len(class_names), *image_shape))
    title = "Templates: each class's weights, stretched from smallest to largest"
    return image_grid(templates, captions=class_names, columns=min(5, len(class_names)), title=title)


def filter_bank(filters: np.ndarray, *, columns: int | None = None, title: str = "Filters") -> Figure:
    """Return a figure of convolution filters, each stretched to its own range; a dead (constant) one is even grey.

    filters : (F, C, H, W) float with C = 1 or 3
    """
    filters = np.asarray(filters)
    if filters.ndim != 4 or filters.shape[1] not in (1, 3):
        raise ValueError(
            f"filter_bank: filters must be of shape (F, 1, H, W) or (F, 3, H, W), got {filters.shape}; "
            "for a deeper layer choose a channel: filters[:, [0]]"
        )
    return image_grid(to_unit(filters.transpose(0, 2, 3, 1)), columns=columns, title=title)


def _as_unit_rgb(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        raise ValueError(
            f"image_grid: images must be of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), got {images.shape}"
        )
    if images.dtype == np.uint8:
        images = images / 255.0
    elif images.dtype.kind != "f" or _finite("image_grid", images).min() < 0 or images.max() > 1:
        raise ValueError(
            f"image_grid: images must be uint8 or float in 0..1, got {images.dtype} in "
            f"{images.min():.3g}..{images.max():.3g}; stretch them with to_unit(images)"
        )
    return np.broadcast_to(images, (*images.shape[:3], 3))


def _finite(function: str, images: np.ndarray) -> np.ndarray:
    if not np.isfinite(images).all():
        raise ValueError(f"{function}: images must be finite, got nan or inf; the model they come from has diverged")
    return images
