"""The base draws: colour maps and pictures against Pillow and matplotlib, axes, curves and signs as SVG."""

import io
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cs231n_lib.widgets.base import Axes, raster, svg
from cs231n_lib.widgets.base.axes import ticks


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_colour_maps_are_the_published_ones(name):
    import matplotlib

    expected = matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255
    assert np.abs(raster.palette(name).astype(float) - expected).max() <= 11
    assert np.abs(raster.palette(name).astype(float) - expected).mean() <= 1


def test_a_signed_map_is_white_at_zero_and_differs_at_the_ends():
    colours = raster.palette("signed", 255)
    assert colours[127].tolist() == [255, 255, 255]
    assert colours[0].tolist() == [0, 0x72, 0xB2]
    assert colours[-1].tolist() == [0xE6, 0x9F, 0]


def test_png_files_read_back_as_the_pixels():
    from PIL import Image

    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, size=(5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(raster.png(rgb)))), rgb)
    index = rng.integers(0, 4, size=(6, 3), dtype=np.uint8)
    table = rng.integers(0, 256, size=(4, 4), dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(raster.png(index, table))).convert("RGBA"))
    np.testing.assert_array_equal(read, table[index])


def test_a_heat_map_leaves_nan_transparent_and_clips():
    import base64

    from PIL import Image

    values = np.array([[0.0, 1.0, np.nan], [5.0, -5.0, 0.5]])
    picture = raster.heat_map(0, 0, 3, 2, values, low=0, high=1)
    data = base64.b64decode(picture.split("base64,")[1].split('"')[0])
    read = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert read[0, 2, 3] == 0
    assert (np.delete(read[..., 3].ravel(), 2) == 255).all()
    np.testing.assert_array_equal(read[1, 0], read[0, 1])  # above high is high
    np.testing.assert_array_equal(read[1, 1], read[0, 0])


def test_a_photograph_is_a_third_of_its_png_and_close():
    import base64

    from PIL import Image

    pixels = np.random.default_rng(0).normal(128, 20, size=(32, 32, 3)).clip(0, 255).astype(np.uint8)
    data = base64.b64decode(raster.photo(0, 0, 1, 1, pixels).split("base64,")[1].split('"')[0])
    assert data[:2] == b"\xff\xd8"
    assert len(data) < len(raster.png(pixels)) / 1.5
    assert np.abs(np.asarray(Image.open(io.BytesIO(data))).astype(float) - pixels).mean() < 15
    tiny = pixels[:4, :4]
    data = base64.b64decode(raster.photo(0, 0, 1, 1, tiny).split("base64,")[1].split('"')[0])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), tiny)


def test_axes_invert_what_they_draw_and_refuse_nonsense():
    axes = Axes(left=10, top=20, width=200, height=100, x0=-1, x1=3, y0=2, y1=4)
    assert axes.inverse(axes.x(0.7), axes.y(3.1)) == pytest.approx((0.7, 3.1))
    assert axes.inverse(5, 50) is None
    assert (axes.y(2), axes.y(4)) == (120, 20)  # up is up
    assert axes.x(99) == 210
    log = Axes(left=0, top=0, width=1, height=100, y0=0.01, y1=100, log_y=True)
    assert log.y(1) == pytest.approx(50)
    with pytest.raises(ValueError, match="ranges must rise, got x 1 to 1"):
        Axes(left=0, top=0, width=1, height=1, x0=1, x1=1)
    with pytest.raises(ValueError, match="y0 must be above 0 on a logarithmic axis, got 0"):
        Axes(left=0, top=0, width=1, height=1, log_y=True)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 17), (0.001, 0.0017), (1e5, 3e6), (2, 2.000001)])
def test_ticks_are_round_inside_and_few(low, high):
    values = ticks(low, high)
    assert 2 <= len(values) <= 11
    assert all(low - 1e-9 <= v <= high + 1e-9 * abs(high) for v in values)
    steps = np.diff(values)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
    lead = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-6)
    assert min(abs(lead - k) for k in (1, 2, 5)) < 1e-3


def test_a_curve_breaks_where_it_is_not_finite():
    axes = Axes(left=0, top=0, width=10, height=10, x1=4)
    assert axes.curve([0, 1, 2, 3, 4], [0, 1, math.nan, 1, 0]).count("<polyline") == 2


@pytest.mark.parametrize("kind", range(7))
def test_many_signs_as_one_path_are_where_single_ones_are(kind):
    spots = [(10.0, 20.0), (33.3, 7.25)]
    path = svg.markers(spots, kind, radius=5)
    assert path.count("<path") == 1
    assert path.count("M") == path.count("z") == 2
    assert f'fill="{svg.COLOURS[kind]}"' in path
    for (x, y), part in zip(spots, re.findall(r"M([^z]*)z", path), strict=True):
        single = ET.fromstring(svg.marker(x, y, kind, radius=5))
        if single.tag == "circle":
            assert part == f"{x - 5:g} {y:g}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0"
            continue
        steps = [[float(v) for v in step.split()] for step in part.split("l")]
        corners = [tuple(float(v) for v in pair.split(",")) for pair in single.get("points").split()]
        np.testing.assert_allclose(np.cumsum(steps, axis=0), corners, atol=0.12)
    assert 'fill="#fff"' in svg.markers(spots, kind, hollow=True)
    assert svg.markers([], kind) == ""


def test_many_lines_as_one_path():
    path = svg.segments([(0, 1, 2, 3), (4, 5, 6.5, 7)], colour="#123456", width=2, dash="5 3")
    assert ET.fromstring(path).get("d") == "M0 1L2 3M4 5L6.5 7"
    assert ET.fromstring(path).get("stroke-dasharray") == "5 3"
    assert svg.segments([]) == ""


def test_text_is_escaped_and_numbers_are_short():
    root = ET.fromstring(svg.figure(10, 10, 'a "quoted" <label>', svg.text(1.0, 2.341, "<script>&")))
    assert root.get("aria-label") == 'a "quoted" <label>'
    assert root[0].text == "<script>&"
    assert (root[0].get("x"), root[0].get("y")) == ("1", "2.34")
    assert svg.number(-0.001) == "0"
