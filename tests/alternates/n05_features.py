"""Right answers of N05, written as hardly anybody would write them."""

import colorsys
import math

import numpy as np

from tests.alternates import UNUSUAL, unusual

UNUSUAL += [("feat-q1", ["h", "E", "d", "B", "A"]), ("feat-q1", ("A", "B", "D", "E", "H"))]


@unusual("feat-rgb_to_gray")
def gray_by_einsum(images):
    return np.einsum("nhwc,c->nhw", images.astype(np.float32), np.float32([0.299, 0.587, 0.114]))


@unusual("feat-rgb_to_gray")
def gray_by_loops(pictures):
    out = np.empty(pictures.shape[:3])
    for at in np.ndindex(out.shape):
        red, green, blue = (float(v) for v in pictures[at])
        out[at] = green + 0.299 * (red - green) + 0.114 * (blue - green)
    return out


@unusual("feat-hog_feature")
def hog_pixel_by_pixel(gray, *, cell_size=8, num_bins=9):
    n, h, w = gray.shape
    if h % cell_size != 0 or w % cell_size != 0:
        raise ValueError("the cells do not fit")
    out = np.zeros((n, h // cell_size, w // cell_size, num_bins))
    for i in range(n):
        gy, gx = np.gradient(gray[i].astype(float))
        for r in range(h):
            for c in range(w):
                t = math.degrees(math.atan2(gy[r, c], gx[r, c]))
                t = t + 180 if t < 0 else t
                t = (t % 180) / (180 / num_bins)
                first = math.floor(t) % num_bins
                np.add.at(
                    out[i, r // cell_size, c // cell_size],
                    [first, (first + 1) % num_bins],
                    np.array([1 - t % 1, t % 1]) * math.sqrt(gx[r, c] ** 2 + gy[r, c] ** 2),
                )
    flat = out.reshape(n, -1)
    for row in flat:
        if row.any():
            row /= np.sqrt(row @ row)
    return flat


@unusual("feat-hog_feature")
def hog_by_triangles_in_float32(gray, *, cell_size=8, num_bins=9):
    g = gray.astype(np.float32)
    h, w = g.shape[1:]
    if h % cell_size or w % cell_size:
        raise ValueError
    padded = np.pad(g, ((0, 0), (1, 1), (1, 1)), mode="reflect", reflect_type="odd")
    gx, gy = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2], padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.nan_to_num(np.arctan(gy / gx))  # from -90 to 90 degrees: the same modulo 180
    gap = np.abs((angle / np.pi * num_bins % num_bins)[..., None] - np.arange(num_bins))
    vote = np.maximum(1 - np.minimum(gap, num_bins - gap), 0) * np.sqrt(gx * gx + gy * gy)[..., None]
    cells = [
        [vote[:, r : r + cell_size, c : c + cell_size].sum((1, 2)) for c in range(0, w, cell_size)]
        for r in range(0, h, cell_size)
    ]
    out = np.concatenate([cell for row in cells for cell in row], axis=1)
    return (out / (np.linalg.norm(out, axis=1)[:, None] + 1e-7)).astype(np.float32)


@unusual("feat-hue_histogram")
def hues_by_the_standard_library(images, *, num_bins=10):
    out = np.zeros((len(images), num_bins + 1))
    for row, image in zip(out, images / 255.0, strict=True):
        for r, g, b in image.reshape(-1, 3):
            h, s, v = colorsys.rgb_to_hsv(r, g, b)
            row[int(h * num_bins) % num_bins] += s * v  # the chroma
            row[num_bins] += 1 - s * v
    return out / images[..., 0][0].size


@unusual("feat-hue_histogram")
def hues_by_masks(images, *, num_bins=10):
    x = np.array(images, dtype=np.float64)
    top, low = x.max(3), x.min(3)
    c = top - low
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    h = np.zeros(c.shape)
    coloured = c > 0
    for mask, diff, start in ((top == b, r - g, 4), (top == g, b - r, 2), (top == r, g - b, 0)):
        mask &= coloured
        h[mask] = diff[mask] / c[mask] + start
    h[h < 0] += 6
    k = np.floor(h * num_bins / 6 + 1e-12).astype(int)
    k[k == num_bins] = 0
    out = np.zeros((len(x), num_bins + 1), dtype=np.float32)
    for i in range(len(x)):
        np.add.at(out[i], k[i].ravel(), (c[i] / 255).ravel())
        out[i, -1] += (1 - c[i] / 255).sum()
        out[i] /= c[i].size
    return out


@unusual("feat-build_codebook")
def kmeans_in_plain_loops(patches, first_words, *, num_steps=10):
    rows = [[float(v) for v in row] for row in patches]
    words = [[float(v) for v in row] for row in first_words]
    for _ in range(num_steps):
        groups = [[] for _ in words]
        for row in rows:
            squares = [sum((a - b) ** 2 for a, b in zip(row, word, strict=True)) for word in words]
            groups[squares.index(min(squares))].append(row)
        words = [
            [sum(column) / len(group) for column in zip(*group, strict=True)] if group else word
            for group, word in zip(groups, words, strict=True)
        ]
    return np.array(words)


@unusual("feat-build_codebook")
def kmeans_by_one_hot_and_early_stop(patches, first_words, *, num_steps=10):
    p, w = patches.astype(np.float64), np.array(first_words, dtype=np.float64)
    for _ in range(num_steps):
        distances = np.stack([np.linalg.norm(p - word, axis=1) for word in w])  # (K, P), word by word
        belongs = (np.arange(len(w))[:, None] == distances.argmin(axis=0)).astype(float)
        size = belongs.sum(axis=1, keepdims=True)
        moved = np.where(size > 0, belongs @ p / np.maximum(size, 1), w)
        if np.array_equal(moved, w):
            break
        w = moved
    return w


@unusual("feat-encode_bovw")
def bags_by_add_at(patches, words):
    out = np.zeros((len(patches), len(words)), dtype=np.float32)
    for i, image in enumerate(patches.astype(float)):
        far = [[math.dist(patch, word) for word in words] for patch in image]
        np.add.at(out[i], np.argmin(far, axis=1), 1 / len(image))
    return out


@unusual("feat-encode_bovw")
def bags_by_histogram(patches, words):
    best = np.full(patches.shape[:2], np.inf)
    choice = np.zeros(patches.shape[:2], dtype=int)
    for k, word in enumerate(words):
        gap = ((patches - word) ** 2).sum(-1)
        choice[gap < best] = k
        best = np.minimum(best, gap)
    return np.array([np.histogram(row, bins=np.arange(len(words) + 1) - 0.5)[0] / row.size for row in choice])


@unusual("feat-extract_features")
def soft_edges_on_a_fine_grid(images):
    gray = images.astype(np.float32).mean(axis=3)
    flat = hog_by_triangles_in_float32(gray, cell_size=4, num_bins=6)
    return np.hstack([flat, gray.reshape(len(gray), 4, 8, 4, 8).mean(axis=(2, 4)).reshape(len(gray), -1) / 255])


@unusual("feat-extract_features")
def one_image_after_the_other(images):
    rows = []
    for image in images:
        gray = image @ np.array([0.299, 0.587, 0.114])
        dy, dx = np.gradient(gray)
        turn, length = np.arctan2(dy, dx) % np.pi, np.hypot(dx, dy)
        y, x = np.mgrid[:32, :32] // 8
        table, _ = np.histogramdd(
            [y.ravel(), x.ravel(), turn.ravel()],
            bins=(4, 4, 8),
            range=[(0, 4), (0, 4), (0, np.pi)],
            weights=length.ravel(),
        )
        rows.append(np.sqrt(table.ravel() / (table.sum() + 1e-9)))
    return np.array(rows)
