"""A student's own picture in the live trainer: any file, any size and mode, from the browser or beside the notebook."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from cs231n_lib import widgets
from cs231n_lib.widgets.trainer_own import own_image, square


def file_of(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_the_middle_square_of_any_shape_is_taken():
    pixels = np.zeros((300, 700, 3), np.uint8)
    pixels[:, 200:500] = (10, 200, 30)
    for wide in (pixels, pixels.swapaxes(0, 1)):
        found = square(io.BytesIO(file_of(Image.fromarray(wide))))
        assert found.shape == (32, 32, 3)
        assert found.dtype == np.uint8
        assert (found == (10, 200, 30)).all()
    tiny = square(io.BytesIO(file_of(Image.new("RGB", (1, 5), (1, 2, 3)))))
    assert (tiny == (1, 2, 3)).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F", "YCbCr", "LAB", "HSV"])
def test_every_mode_is_read(mode):
    image = Image.fromarray(np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)) if mode == "I;16" else None
    image = image or Image.linear_gradient("L").convert("RGB" if mode in ("LAB", "HSV") else "L")
    if image.mode != mode and mode not in ("LAB", "HSV"):
        image = image.convert(mode)
    kind = "TIFF" if mode in ("CMYK", "F", "YCbCr", "I") else "PNG"
    found = square(io.BytesIO(file_of(image, kind)))
    assert found.shape == (32, 32, 3)
    assert np.ptp(found.astype(int)) > 100, "dark and light parts stay apart"


def test_what_is_transparent_is_white_and_a_phones_photograph_stands_upright():
    clear = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    assert (square(io.BytesIO(file_of(clear))) == 255).all()
    half = np.zeros((60, 60, 3), np.uint8)
    half[:30] = 250
    exif = Image.Exif()
    exif[274] = 3  # orientation: held upside down
    found = square(io.BytesIO(file_of(Image.fromarray(half), "JPEG", exif=exif)))
    assert found[4].mean() < 10
    assert found[-4].mean() > 240


def test_a_chosen_file_is_shown_kept_out_of_the_state_and_written_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    widget = widgets.live_trainer()
    widget.upload("upload", "/home/me/cat.jpg", file_of(Image.new("RGB", (90, 60), (250, 10, 10)), "JPEG"))
    assert widget.state.own == "cat.jpg"
    assert "own: cat.jpg" in widget.picture
    assert "For the own image in focus it says" in widget.status
    assert own_image("cat.jpg", widget.data)[0].mean(axis=(0, 1)) == pytest.approx([250, 10, 10], abs=6)
    assert len(widget.state.to_json()) < 1000
    assert list(tmp_path.iterdir()) == []
    widget.step()
    assert not widget.problem
    assert "own: cat.jpg" in widget.picture
    assert "own: no such file" in widgets.live_trainer(state=widget.state.to_json()).picture
    widget.close()


def test_what_is_no_picture_is_said_in_one_line_and_changes_nothing_else():
    widget = widgets.live_trainer()
    widget.upload("upload", "good.png", file_of(Image.new("RGB", (40, 40), "red")))
    bomb = b"P6 60000 60000 255\n"  # 10 GB when read
    for name, content in (
        ("notes.txt", b"hello"),
        ("empty.png", b""),
        ("bomb.ppm", bomb),
        ("x" * 300 + ".png", b"\x89PNG"),
    ):
        widget.upload("upload", name, content)
        assert "is no picture that can be read: a PNG or JPEG works." in widget.status
        assert widget.state.own == "good.png"
        assert not widget.problem
    widget.press("upload")
    assert "Choose a picture file first." in widget.status
    widget.close()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_broken_files_are_read_or_refused_and_nothing_else(kind):
    rng = random.Random(kind)
    whole = file_of(Image.linear_gradient("L").convert("RGB").resize((60, 40)), kind)
    refused = []
    for _ in range(60):
        broken = bytearray(whole[: rng.randint(1, len(whole))] if rng.random() < 0.5 else whole)
        for _ in range(rng.randint(0, 8)):
            broken[rng.randrange(min(len(broken), 400))] = rng.randrange(256)
        try:
            assert square(io.BytesIO(bytes(broken))).shape == (32, 32, 3)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert set(refused) == {"no picture that can be read: a PNG or JPEG works"}
