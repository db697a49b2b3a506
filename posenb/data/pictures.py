"""Picture files: decoded safely, and cut about a person into a small file of their own."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from posenb.data.people import Person

SURROUNDINGS = 1.6  #: what is kept of a picture about a person, in sides of the sample
LARGEST_SIDE = 256  #: pixels of a sample's side that are kept at most
_QUALITY = 92
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
"""Of files in these formats."""


class Cut(NamedTuple):
    """A part of a picture as an image file; its point p lies at ``origin + p * unit`` in the picture."""

    file: bytes
    origin: NDArray[np.float64]
    unit: float


def decode(file: bytes, formats: tuple[str, ...] = _FORMATS, upright: bool = False) -> NDArray[np.uint8]:
    """RGB ``(H, W, 3)`` as stored, for annotations know nothing of EXIF's orientation; or turned ``upright`` by it.

    Raises:
        ValueError: for what is no whole picture of these formats, or is absurdly large.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(file), formats=formats) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            turned = ImageOps.exif_transpose(image) if upright else image
            if turned.mode.startswith("I"):  # 16 bits of grey, which PIL would clip to white
                grey = (np.asarray(turned).astype(np.uint32) >> 8).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(turned.convert("RGB"))
    except UnidentifiedImageError:
        raise ValueError(f"is no picture of a known kind ({', '.join(formats)})") from None
    except Exception as error:  # a decoder trips over damaged bytes in many ways
        raise ValueError(f"cannot be decoded ({error})") from None


def size_of(path: Path, upright: bool = False) -> tuple[int, int] | None:
    """(width, height) as stored, or ``upright`` as EXIF says; None where the file cannot be read."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            lying = upright and image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            return image.size[::-1] if lying else image.size
    except Exception:  # a decoder trips over damaged bytes in many ways
        return None


def turned(path: Path) -> bool:
    """Whether EXIF says that a picture is to be turned or mirrored so that its sides keep their lengths."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            return orientation in (2, 3, 4) or (orientation in (5, 6, 7, 8) and image.width == image.height)
    except Exception:  # a decoder trips over damaged bytes in many ways
        return False


def cut(pixels: NDArray[np.uint8], person: Person) -> Cut:
    """What a picture shows about a person, reduced so that the sample's side has 256 pixels at most.

    Borders are not filled here: whoever makes the sample replicates them.
    """
    height, width = pixels.shape[:2]
    assert person.center is not None  # given by ``admitted``
    unit = max(1.0, person.side / LARGEST_SIDE)
    reach = person.side * SURROUNDINGS / 2
    low = np.floor(np.clip(person.center - reach, 0, [width - 1, height - 1])).astype(int)
    high = np.ceil(np.clip(person.center + reach, low + 1, [width, height])).astype(int)
    region = pixels[low[1] : high[1], low[0] : high[0]]
    if unit > 1:
        # whole output pixels of exactly one unit each: less than one of them is lost at the far borders
        size = np.maximum(((high - low) / unit).astype(int), 1)
        box = (0, 0, *np.minimum(size * unit, high - low))
        region = np.asarray(Image.fromarray(region).resize(tuple(size), Image.Resampling.BICUBIC, box=box))
    good, file = cv2.imencode(".jpg", region[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not good:
        raise ValueError("cannot be encoded as JPEG")
    return Cut(file.tobytes(), low.astype(float), unit)
