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


class Header(NamedTuple):
    """What a picture's file says of it: (width, height) as stored, and EXIF's orientation, 1 where it has none."""

    size: tuple[int, int]
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) once it is turned as EXIF says."""
        return self.size[::-1] if self.orientation >= 5 else self.size

    @property
    def unsettled(self) -> bool:
        """Whether EXIF turns or mirrors it, and its size is the same either way."""
        return self.orientation != 1 and self.size == self.upright


def header_of(path: Path) -> Header | None:
    """None where the file cannot be read."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Header(image.size, _orientation(image))
    except Exception:  # a decoder trips over damaged bytes in many ways
        return None


def _orientation(image: Image.Image) -> int:
    """1 also where EXIF cannot be read: in a PNG that was cut short it may lie behind the pixels."""
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # as above
        return 1
    return told if told in range(1, 9) else 1


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
