"""A source of images that are arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nasoa.data.grey_range import GreyRange
from nasoa.data.source import ImageRecord
from nasoa.data.stamps import stamp_array


@dataclass(frozen=True)
class ArraySource:
    """Images of an array; see `ImageSource`.

    `images` is a `(n, h, w)` or `(n, h, w, 3)` uint8 array. `grey_range` holds the values of black
    and white in the array that it was made from, if that was of uint16.
    """

    name: str
    records: Sequence[ImageRecord]
    class_names: Sequence[str]
    images: NDArray[np.uint8]
    grey_range: GreyRange | None = None

    def stamp(self) -> str:
        """See `ImageSource`."""
        return stamp_array(self.images)

    def header(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        return self.open(index)

    def open(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        return Image.fromarray(self.images[index])
