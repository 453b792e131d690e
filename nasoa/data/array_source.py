"""A source of images that are arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nasoa.data.source import ImageRecord
from nasoa.data.stamps import stamp_array


@dataclass(frozen=True)
class ArraySource:
    """Images of an array; see `ImageSource`.

    `images` is a `(n, h, w)` or `(n, h, w, 3)` uint8 array.
    """

    name: str
    records: Sequence[ImageRecord]
    class_names: Sequence[str]
    images: NDArray[np.uint8]

    def stamp(self) -> str:
        """See `ImageSource`."""
        return stamp_array(self.images)

    def header(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        return self.open(index)

    def open(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        return Image.fromarray(self.images[index])
