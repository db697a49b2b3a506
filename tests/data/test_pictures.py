"""Picture files, decoded."""

import io

import numpy as np
from PIL import Image

from posenb.data import pictures


def test_sixteen_bits_of_grey_keep_their_shades():
    shades = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    file = io.BytesIO()
    Image.fromarray(shades).save(file, "PNG")
    decoded = pictures.decode(file.getvalue())
    assert decoded.shape == (8, 8, 3) and decoded.dtype == np.uint8
    assert np.array_equal(decoded[..., 0], shades >> 8) and decoded.std() > 70
