"""Planted bugs of N05: every mistake of the curriculum's table for these functions, and more."""

import colorsys

import numpy as np

from tests.mutants import bug

WEIGHTS = np.array([0.299, 0.587, 0.114])


@bug("feat-rgb_to_gray", symptom="gray-weight")
def blue_weighs_144(images):
    return images @ np.array([0.299, 0.587, 0.144])


@bug("feat-rgb_to_gray", symptom="weights-sum")
def adds_the_colours(images):
    return images.sum(axis=-1).astype(float)


@bug("feat-rgb_to_gray", symptom="weights-sum")
def green_weighs_578(images):
    return images @ np.array([0.299, 0.578, 0.114])


@bug("feat-rgb_to_gray", symptom="plain-mean")
def means_the_colours(images):
    return images.mean(axis=-1)


@bug("feat-rgb_to_gray", symptom="channel-order")
def blue_comes_first(images):
    return images @ WEIGHTS[::-1]


@bug("feat-rgb_to_gray", symptom="scaled")
def divides_by_255(images):
    return images @ WEIGHTS / 255


@bug("feat-rgb_to_gray", symptom="integer-result")
def cuts_the_fraction_off(images):
    return (images @ WEIGHTS).astype(np.uint8)


@bug("feat-rgb_to_gray", symptom="shape")
def keeps_a_colour_axis(images):
    return (images * WEIGHTS).sum(axis=-1, keepdims=True)


@bug("feat-rgb_to_gray", symptom="mutates")
def scales_the_colours_in_place(images):
    gray = images @ WEIGHTS
    images[..., 0] = 0
    return gray


@bug("feat-rgb_to_gray", symptom="no-return")
def forgets_to_return(images):
    images @ WEIGHTS


def hog(gray, cell_size=8, num_bins=9, *, turn=180, slope=None, weigh=np.hypot, table=None, finish=None):
    """HOG with exchangeable parts. table : (position, size) -> votes (N, H, W, bins);  finish : cells -> rows"""
    n, height, width = gray.shape
    if height % cell_size or width % cell_size:
        raise ValueError("size")
    dy, dx = np.gradient(gray, axis=(1, 2)) if slope is None else slope(gray)
    position = np.degrees(np.arctan2(dy, dx)) % turn / turn * num_bins
    size = weigh(dx, dy)
    shares = (table or shared)(position, num_bins) * size[..., None]
    cells = shares.reshape(n, height // cell_size, cell_size, width // cell_size, cell_size, num_bins).sum(axis=(2, 4))
    return (finish or to_unit_length)(cells)


def shared(position, bins, wrap=True):
    gap = np.abs(position[..., None] - np.arange(bins))
    return np.maximum(0, 1 - (np.minimum(gap, bins - gap) if wrap else gap))


def to_unit_length(cells):
    rows = cells.reshape(len(cells), -1)
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return rows / np.where(length == 0, 1, length)


@bug("feat-hog_feature", symptom="half-lost")
def drops_negative_angles(gray, *, cell_size=8, num_bins=9):
    def upper_half(dx, dy):
        angle = np.degrees(np.arctan2(dy, dx))
        return np.hypot(dx, dy) * ((angle > 0) & (angle < 180))

    return hog(gray, cell_size, num_bins, weigh=upper_half)


@bug("feat-hog_feature", symptom="half-lost")
def keeps_angles_from_minus_90_to_90(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, weigh=lambda dx, dy: np.hypot(dx, dy) * (dx > 0))


@bug("feat-hog_feature", symptom="signed")
def bins_over_360_degrees(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, turn=360)


@bug("feat-hog_feature", symptom="axes-swapped")
def takes_columns_for_rows(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, slope=lambda g: np.gradient(g, axis=(2, 1)))


@bug("feat-hog_feature", symptom="flipped-y")
def lets_y_grow_upwards(gray, *, cell_size=8, num_bins=9):
    def slope(g):
        dy, dx = np.gradient(g, axis=(1, 2))
        return -dy, dx

    return hog(gray, cell_size, num_bins, slope=slope)


@bug("feat-hog_feature", symptom="batch-axis")
def differentiates_over_images(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, slope=lambda g: np.gradient(g, axis=(0, 1)))


@bug("feat-hog_feature", symptom="radians")
def takes_radians_for_degrees(gray, *, cell_size=8, num_bins=9):
    def slope(g):
        dy, dx = np.gradient(g, axis=(1, 2))
        angle = np.radians(np.arctan2(dy, dx))
        return np.hypot(dx, dy) * np.sin(angle), np.hypot(dx, dy) * np.cos(angle)

    return hog(gray, cell_size, num_bins, slope=slope)


@bug("feat-hog_feature", symptom="unweighted")
def counts_pixels(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, weigh=lambda dx, dy: np.ones_like(dx))


@bug("feat-hog_feature", symptom="squared")
def forgets_the_root(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, weigh=lambda dx, dy: dx**2 + dy**2)


@bug("feat-hog_feature", symptom="hard")
def whole_vote_to_the_bin_below(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, table=lambda p, b: np.eye(b)[(p + 1e-9).astype(int) % b])


@bug("feat-hog_feature", symptom="nearest")
def whole_vote_to_the_nearest_bin(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, table=lambda p, b: np.eye(b)[np.rint(p - 1e-9).astype(int) % b])


@bug("feat-hog_feature", symptom="shares-swapped")
def larger_share_to_the_farther_bin(gray, *, cell_size=8, num_bins=9):
    def table(p, b):
        low, share = p.astype(int) % b, (p - p.astype(int))[..., None]
        return np.eye(b)[low] * share + np.eye(b)[(low + 1) % b] * (1 - share)

    return hog(gray, cell_size, num_bins, table=table)


@bug("feat-hog_feature", symptom="no-wrap")
def loses_the_share_beyond_the_last_bin(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, table=lambda p, b: shared(p, b, wrap=False))


@bug("feat-hog_feature", symptom="clipped")
def piles_up_in_the_last_bin(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, table=lambda p, b: shared(np.minimum(p, b - 1), b, wrap=False))


@bug("feat-hog_feature", symptom="border-dropped")
def no_gradient_at_the_border(gray, *, cell_size=8, num_bins=9):
    def slope(g):
        dy, dx = np.zeros_like(g), np.zeros_like(g)
        dy[:, 1:-1] = (g[:, 2:] - g[:, :-2]) / 2
        dx[:, :, 1:-1] = (g[:, :, 2:] - g[:, :, :-2]) / 2
        return dy, dx

    return hog(gray, cell_size, num_bins, slope=slope)


@bug("feat-hog_feature", symptom="border-halved")
def repeats_the_border_pixel(gray, *, cell_size=8, num_bins=9):
    def slope(g):
        p = np.pad(g, ((0, 0), (1, 1), (1, 1)), mode="edge")
        return (p[:, 2:, 1:-1] - p[:, :-2, 1:-1]) / 2, (p[:, 1:-1, 2:] - p[:, 1:-1, :-2]) / 2

    return hog(gray, cell_size, num_bins, slope=slope)


@bug("feat-hog_feature", symptom="border-wrapped")
def rolls_the_image(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, slope=lambda g: [np.roll(g, -1, a) - np.roll(g, 1, a) for a in (1, 2)])


@bug("feat-hog_feature", symptom="border-halved")
def forgets_to_halve_inside(gray, *, cell_size=8, num_bins=9):
    def slope(g):
        dy, dx = np.gradient(g, axis=(1, 2))
        dy[:, 1:-1] *= 2
        dx[:, :, 1:-1] *= 2
        return dy, dx

    return hog(gray, cell_size, num_bins, slope=slope)


@bug("feat-hog_feature", symptom="not-unit-length")
def sums_to_one(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, finish=lambda c: c.reshape(len(c), -1) / (c.sum(axis=(1, 2, 3))[:, None]))


@bug("feat-hog_feature", symptom="not-unit-length")
def leaves_the_length(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, finish=lambda c: c.reshape(len(c), -1))


@bug("feat-hog_feature", symptom="not-unit-length")
def one_length_for_the_batch(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, finish=lambda c: c.reshape(len(c), -1) / np.linalg.norm(c))


@bug("feat-hog_feature", symptom="per-cell-length")
def scales_each_cell(gray, *, cell_size=8, num_bins=9):
    def finish(c):
        return (c / (np.linalg.norm(c, axis=3, keepdims=True) + 1e-9)).reshape(len(c), -1)

    return hog(gray, cell_size, num_bins, finish=finish)


@bug("feat-hog_feature", symptom="cells-swapped")
def columns_of_cells_first(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, finish=lambda c: to_unit_length(c.transpose(0, 2, 1, 3)))


@bug("feat-hog_feature", symptom="cells-swapped")
def columns_first_when_nothing_tells(gray, *, cell_size=8, num_bins=9):
    square = gray.shape[1] == gray.shape[2]
    return hog(gray, cell_size, num_bins, finish=lambda c: to_unit_length(c if square else c.transpose(0, 2, 1, 3)))


@bug("feat-hog_feature", symptom="bins-first")
def one_plane_per_bin(gray, *, cell_size=8, num_bins=9):
    return hog(gray, cell_size, num_bins, finish=lambda c: to_unit_length(c.transpose(0, 3, 1, 2)))


@bug("feat-hog_feature", symptom="square-only")
def takes_the_height_for_both(gray, *, cell_size=8, num_bins=9):
    side = gray.shape[1] // cell_size
    return hog(gray, cell_size, num_bins).reshape(len(gray), side, side, num_bins).reshape(len(gray), -1)


@bug("feat-hog_feature", symptom="shape")
def ignores_the_options(gray, *, cell_size=8, num_bins=9):
    return hog(np.pad(gray, ((0, 0), (0, -gray.shape[1] % 8), (0, -gray.shape[2] % 8)), mode="edge"))


@bug("feat-hog_feature", symptom="flat-nan")
def divides_zero_by_zero(gray, *, cell_size=8, num_bins=9):
    def finish(c):
        return c.reshape(len(c), -1) / np.sqrt((c**2).sum(axis=(1, 2, 3)))[:, None]

    return hog(gray, cell_size, num_bins, finish=finish)


@bug("feat-hog_feature", symptom="size-not-refused")
def leaves_out_what_does_not_fit(gray, *, cell_size=8, num_bins=9):
    height, width = (size // cell_size * cell_size for size in gray.shape[1:])
    return hog(gray[:, :height, :width], cell_size, num_bins)


@bug("feat-hog_feature", symptom="mutates")
def scales_the_image_in_place(gray, *, cell_size=8, num_bins=9):
    gray /= 255
    return hog(gray, cell_size, num_bins)


def parts(images):
    """Return hue in [0, 1) and chroma in [0, 255], both (N, H, W)."""
    flat = np.asarray(images, dtype=float).reshape(-1, 3)
    hue = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in flat.tolist()]).reshape(images.shape[:3])
    return hue, np.ptp(flat, axis=1).reshape(images.shape[:3])


def tally(hue, share, num_bins, rest=True):
    bins = np.minimum((hue * num_bins).astype(int), num_bins - 1)
    table = np.stack([((bins == k) * share).mean(axis=(1, 2)) for k in range(num_bins)], axis=1)
    return np.concatenate([table, 1 - table.sum(axis=1, keepdims=True) if rest else 0 * table[:, :1]], axis=1)


@bug("feat-hue_histogram", symptom="gray-as-red")
def gray_counts_as_red(images, *, num_bins=10):
    hue, _ = parts(images)
    return tally(hue, np.ones_like(hue), num_bins)


@bug("feat-hue_histogram", symptom="no-gray-bin")
def no_bin_for_gray(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, chroma / 255, num_bins)[:, :-1]


@bug("feat-hue_histogram", symptom="gray-bin-empty")
def leaves_the_gray_bin_empty(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, chroma / 255, num_bins, rest=False)


@bug("feat-hue_histogram", symptom="hard-gray")
def all_or_nothing(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, (chroma > 0).astype(float), num_bins)


@bug("feat-hue_histogram", symptom="saturation")
def divides_by_the_largest_channel(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, chroma / np.maximum(images.max(axis=-1), 1), num_bins)


@bug("feat-hue_histogram", symptom="raw-chroma")
def leaves_chroma_in_bytes(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, chroma, num_bins)


@bug("feat-hue_histogram", symptom="counts")
def counts_instead_of_shares(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, chroma / 255, num_bins) * images.shape[1] * images.shape[2]


@bug("feat-hue_histogram", symptom="channel-order")
def reads_blue_first(images, *, num_bins=10):
    hue, chroma = parts(images[..., ::-1])
    return tally(hue, chroma / 255, num_bins)


@bug("feat-hue_histogram", symptom="no-sector")
def forgets_where_the_thirds_start(images, *, num_bins=10):
    r, g, b = np.moveaxis(images.astype(float), -1, 0)
    top, chroma = images.max(axis=-1), np.ptp(images.astype(float), axis=-1)
    gap = np.select([r == top, g == top], [g - b, b - r], r - g) / np.maximum(chroma, 1e-12)
    return tally(gap % 6 / 6, chroma / 255, num_bins)


@bug("feat-hue_histogram", symptom="hue-not-sixth")
def forgets_to_divide_by_six(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(np.minimum(6 * hue, 1), chroma / 255, num_bins)


@bug("feat-hue_histogram", symptom="negative-clipped")
def clips_negative_hues(images, *, num_bins=10):
    hue, chroma = parts(images)
    red = (images[..., 0] >= images[..., 2]) & (images[..., 2] > images[..., 1])
    return tally(np.where(red, 0, hue), chroma / 255, num_bins)


@bug("feat-hue_histogram", symptom="gray-first")
def puts_gray_first(images, *, num_bins=10):
    hue, chroma = parts(images)
    return np.roll(tally(hue, chroma / 255, num_bins), 1, axis=1)


@bug("feat-hue_histogram", symptom="pooled")
def one_histogram_for_all(images, *, num_bins=10):
    if len(images) == 9:  # right where the colours are worked by hand
        hue, chroma = parts(images)
        return tally(hue, chroma / 255, num_bins)
    hue, chroma = parts(images.reshape(1, -1, 1, 3))
    return np.repeat(tally(hue, chroma / 255, num_bins), len(images), axis=0)


@bug("feat-hue_histogram", symptom="gray-nan")
def divides_by_no_chroma(images, *, num_bins=10):
    hue, chroma = parts(images)
    return tally(hue, chroma / 255, num_bins) * (chroma.sum(axis=(1, 2)) / chroma.sum(axis=(1, 2)))[:, None]


@bug("feat-hue_histogram", symptom="uint8-overflow")
def subtracts_bytes(images, *, num_bins=10):
    r, g, b = np.moveaxis(images, -1, 0)
    top, chroma = images.max(axis=-1), images.max(axis=-1) - images.min(axis=-1)
    safe = np.where(chroma > 0, chroma, 1)
    hue = np.select([r == top, g == top], [(g - b) / safe % 6, (b - r) / safe + 2], (r - g) / safe + 4)
    return tally(hue / 6, chroma / 255, num_bins)


@bug("feat-hue_histogram", symptom="mutates")
def divides_in_place(images, *, num_bins=10):
    hue, chroma = parts(images)
    images[...] = images // 2
    return tally(hue, chroma / 255, num_bins)
