"""A picture of one's own for the live trainer: from a file beside the notebook or chosen in the browser."""

import dataclasses
import io
import struct
import warnings
from pathlib import Path

import numpy as np

from .base import Data
from .trainer_plan import SHOWN, Run

SIDE = 32  # pixels
LONGEST = 100  # characters of a file's name
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, OverflowError, MemoryError)


def square(source: Path | io.BytesIO) -> np.ndarray:
    """Return a picture file of any size and mode as uint8 (32, 32, 3): its middle square, upright, on white.

    Raises FileNotFoundError, or ValueError in one sentence if it cannot be read.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd tags: the picture is what counts
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # hundreds of megabytes for 32 x 32 pixels
            with Image.open(source) as file:
                upright = ImageOps.exif_transpose(file)  # a phone stores how it was held
                side = min(upright.size)
                if upright.mode[0] in "IF":  # more than 8 bits: Pillow would clip them
                    upright = Image.fromarray(_eight_bits(np.asarray(upright, dtype=float)))
                cut = ImageOps.fit(upright.convert("RGBA"), (side, side)).resize((SIDE, SIDE))
    except FileNotFoundError:
        raise
    except (*UNREADABLE, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError("no picture that can be read: a PNG or JPEG works") from error
    white = Image.new("RGBA", cut.size, "white")
    return np.asarray(Image.alpha_composite(white, cut).convert("RGB"), dtype=np.uint8)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return np.rint(255 * (np.nan_to_num(values, nan=low) - low) / ((high - low) or 1.0)).astype(np.uint8)


def own_image(name: str, data: Data) -> tuple[np.ndarray, str]:
    """Return the own image, uint8 (32, 32, 3), and what it is; grey if there is none. Chosen files go before stored."""
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    if not name.strip():
        return grey, "own image: none"
    if name in data.get("_chosen", {}):
        return data["_chosen"][name], f"own: {name}"
    try:
        return square(Path(name).expanduser()), f"own: {Path(name).name}"
    except FileNotFoundError:
        return grey, "own: no such file"
    except ValueError:
        return grey, "own: no image file"


def upload(state: Run, data: Data) -> Run:
    """Take the file that was chosen in the browser as the own image; it stays in memory and is written nowhere."""
    if "_file" not in data:
        return dataclasses.replace(state, note="Choose a picture file first.")
    name, content = data["_file"]
    name = Path(name).name[-LONGEST:] or "chosen"
    try:
        pixels = square(io.BytesIO(content))
    except ValueError as error:
        return dataclasses.replace(state, note=f"{name} is {error}.")
    data["_chosen"] = {name: pixels}  # the last one: a session with many would grow without end
    return dataclasses.replace(state, own=name, focus=SHOWN + 1, note=f"{name}: its middle square, as 32 x 32 pixels.")
