"""Read colours of sixteen bits, of which Pillow keeps the upper eight.

Pillow has no mode for such colours, and reads the upper byte of each value. The lower bytes are
obtained by decoding the file again with the opposite order of bytes. This pays only if the values
do not use all sixteen bits: those of a 12-bit camera are below 4096, and their upper bytes almost
black.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

_OPPOSITE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
# Pillow's name of the layout in the file -> the name with which it reads the lower bytes.
_LOWER = {
    f"{mode};16{order}": f"{mode};16{opposite}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, opposite in _OPPOSITE.items()
}
# Both bytes of grey and of alpha are read as the four channels of a pixel.
_GREY_AND_ALPHA = "LA;16B"
_LOWER[_GREY_AND_ALPHA] = "RGBA"


def is_deep_colour(image: Image.Image) -> bool:
    """Return whether an image that has not been loaded yet has colours of 16 bits."""
    return isinstance(image, ImageFile.ImageFile) and _layout(image) in _LOWER


def colour_values(image: Image.Image) -> NDArray[np.uint16]:
    """Load an image for which `is_deep_colour` holds, and return its values.

    Returns:
        `(height, width, 3)` values of 16 bits, or `(height, width, 4)` with alpha.
    """
    assert isinstance(image, ImageFile.ImageFile)
    assert image.fp is not None
    layout = _layout(image)
    with Image.open(image.fp, formats=[str(image.format)]) as again:
        again.tile = [_with_layout(tile, _LOWER[layout]) for tile in again.tile]
        lower = np.asarray(again)
    if layout == _GREY_AND_ALPHA:
        image.load()
        upper, lower = lower[..., [0, 0, 0, 2]], lower[..., [1, 1, 1, 3]]
    else:
        upper = np.asarray(image)
    values = upper.astype(np.uint16)
    values <<= 8
    values |= lower
    return values


def _layout(image: ImageFile.ImageFile) -> str:
    """Return Pillow's name of how the values lie in the file; "" if there are no pixels left."""
    return next((_arguments(tile)[0] for tile in image.tile), "")


def _with_layout(tile: ImageFile._Tile, layout: str) -> ImageFile._Tile:
    args = layout if isinstance(tile.args, str) else (layout, *_arguments(tile)[1:])
    return tile._replace(args=args)


def _arguments(tile: ImageFile._Tile) -> tuple[Any, ...]:
    return tile.args if isinstance(tile.args, tuple) else (tile.args,)
