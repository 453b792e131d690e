"""PNG files of sixteen bits that are written here are read as Pillow and nasoa read others."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nasoa.data.deep_colour import colour_values, is_deep_colour
from nasoa.data.deep_png import deep_png


@pytest.mark.parametrize("shape", [(5, 7), (1, 1)])
def test_greys(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    with Image.open(BytesIO(deep_png(values))) as image:
        assert (image.format, image.size) == ("PNG", shape[::-1])
        assert (np.asarray(image).astype(np.uint16) == values).all()


def test_colours() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    # As of an array whose channels came first.
    for given in (values, np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 2, 0)), 0, 2)):
        with Image.open(BytesIO(deep_png(given))) as image:
            assert is_deep_colour(image)
            assert (colour_values(image) == values).all()
