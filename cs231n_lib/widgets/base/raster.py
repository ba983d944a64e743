"""Arrays as small PNG images inside a picture: heat maps, region maps and photographs, without matplotlib or Pillow.

A hundred by a hundred cells as SVG rectangles would be a megabyte; as a palette PNG they are one to four kilobytes.
"""

import base64
import io
import struct
import zlib

import numpy as np

from . import svg

# Anchors of viridis (van der Walt and Smith 2015) and cividis (Nunez et al. 2018), at even steps; between
# them the colour is interpolated in sRGB, within 11 of 255 of the published tables, 0.8 on average.
_ANCHORS = {
    "viridis": "440154 481f70 443983 3b528b 31688e 287c8e 21918c 20a486 35b779 5ec962 90d743 c8e020 fde725",
    "cividis": "00224e 003170 2a3f6d 434e6c 575d6d 6a6c71 7d7c78 918b78 a59c74 bcae6c d2c060 e9d34e fee838",
    "signed": "0072b2 4095c5 80b9d9 bfdcec ffffff f9e7bf f3cf80 ecb740 e69f00",  # Okabe-Ito blue, white, orange
    "grey": "000000 202020 404040 606060 808080 a0a0a0 c0c0c0 e0e0e0 ffffff",
}
MAPS = tuple(_ANCHORS)
PNG = b"\x89PNG\r\n\x1a\n"  # how such a file begins
EXACT = 256  # pixels up to which a photograph is kept exactly


def palette(name: str, size: int = 256) -> np.ndarray:
    """Return a colour map, uint8 (size, 3)."""
    if name not in _ANCHORS:
        raise ValueError(f"palette: name must be one of {', '.join(MAPS)}, got {name!r}")
    anchors = np.array([list(bytes.fromhex(code)) for code in _ANCHORS[name].split()], dtype=float)  # (n, 3)
    at = np.linspace(0, len(anchors) - 1, size)
    return (
        np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, c]) for c in range(3)], axis=1)
        .round()
        .astype("uint8")
    )


def png(pixels: np.ndarray, colours: np.ndarray | None = None) -> bytes:
    """Return a PNG file.

    pixels : uint8 (H, W) indices into `colours`, or uint8 (H, W, 3) with colours None
    colours : uint8 (n, 3) or (n, 4) with opacity, n <= 256
    Source: Portable Network Graphics specification, third edition, sections 5 and 11.
    """
    height, width = pixels.shape[:2]
    kind = 3 if colours is not None else 2  # indexed, truecolour
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # filter 0 on each row
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))]
    if colours is not None:
        parts.append(_chunk(b"PLTE", colours[:, :3].tobytes()))
        if colours.shape[1] == 4:
            parts.append(_chunk(b"tRNS", colours[:, 3].tobytes()))
    parts += [_chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)), _chunk(b"IEND", b"")]
    return PNG + b"".join(parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def image(x: float, y: float, width: float, height: float, data: bytes, *, smooth: bool = False) -> str:
    """Return a PNG or JPEG file placed in a picture; its pixels stay sharp unless `smooth`."""
    box = f'x="{svg.number(x)}" y="{svg.number(y)}" width="{svg.number(width)}" height="{svg.number(height)}"'
    sharp = "" if smooth else ' style="image-rendering:pixelated"'
    uri = f"data:image/{'png' if data[:4] == PNG[:4] else 'jpeg'};base64," + base64.b64encode(data).decode("ascii")
    return f'<image {box} preserveAspectRatio="none"{sharp} href="{uri}"/>'


def heat_map(
    x: float,
    y: float,
    width: float,
    height: float,
    values: np.ndarray,
    *,
    low: float,
    high: float,
    colours: str = "viridis",
) -> str:
    """Return values (H, W), row 0 on top, as colours from low to high. What is not finite is left transparent."""
    finite = np.isfinite(values)
    share = np.clip((np.where(finite, values, low) - low) / max(high - low, 1e-300), 0, 1)
    index = np.where(finite, 1 + np.rint(share * 254), 0).astype(np.uint8)
    table = np.zeros((256, 4), np.uint8)
    table[1:, :3], table[1:, 3] = palette(colours, 255), 255
    return image(x, y, width, height, png(index, table))


def signed_map(
    x: float, y: float, width: float, height: float, values: np.ndarray, *, limit: float | None = None
) -> str:
    """Return values (H, W) in blue below zero, white at zero and orange above, symmetric about zero."""
    if limit is None:
        finite = values[np.isfinite(values)]
        limit = float(np.abs(finite).max(initial=0.0)) or 1.0
    return heat_map(x, y, width, height, values, low=-limit, high=limit, colours="signed")


def class_map(
    x: float,
    y: float,
    width: float,
    height: float,
    labels: np.ndarray,
    *,
    opacity: float = 0.4,
    ties: np.ndarray | None = None,
) -> str:
    """Return class indices (H, W), row 0 on top, in the faint colours of the classes.

    ties : bool (H, W) or None, the cells to hatch: every fourth diagonal of cells is left clear there
    """
    height_cells, width_cells = labels.shape
    index = (labels % len(svg.COLOURS)).astype(np.uint8)
    if ties is not None:
        rows, columns = np.indices((height_cells, width_cells))
        index = np.where(ties, np.where((rows + columns) % 4 < 2, 255, 254), index).astype(np.uint8)
    table = np.zeros((256, 4), np.uint8)
    for i, colour in enumerate(svg.COLOURS):
        table[i] = (*bytes.fromhex(colour[1:]), round(255 * opacity))
    table[254], table[255] = (255, 255, 255, 235), (60, 60, 60, 235)
    return image(x, y, width, height, png(index, table))


def photo(x: float, y: float, width: float, height: float, pixels: np.ndarray) -> str:
    """Return an image, uint8 (H, W, 3) or (H, W).

    Greys and up to EXACT pixels of colour are exact. More colour goes through JPEG, a third of the bytes for 32x32
    pixels: to compare pixels, draw them with `heat_map`.
    """
    if pixels.ndim == 2:
        return image(x, y, width, height, png(pixels, palette("grey")))
    if pixels.shape[0] * pixels.shape[1] <= EXACT:
        return image(x, y, width, height, png(pixels))
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=85)
    return image(x, y, width, height, file.getvalue())


def colour_bar(
    x: float, y: float, width: float, height: float, *, low: float, high: float, colours: str = "viridis"
) -> str:
    """Return a horizontal scale under a heat map, with the numbers at its ends."""
    strip = heat_map(x, y, width, height, np.linspace(0, 1, 64)[None], low=0, high=1, colours=colours)
    ends = svg.text(x, y + height + 13, f"{low:.3g}", size=11)
    return strip + ends + svg.text(x + width, y + height + 13, f"{high:.3g}", size=11, anchor="end")
