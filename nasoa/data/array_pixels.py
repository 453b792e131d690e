"""Check the values of arrays of images, and convert them to bytes.

Arrays in .npz files and arrays in memory pass the same checks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.data.grey_range import GreyRange
from nasoa.errors import DataError

CHANNELS = ((), (1,), (3,))  # of an image `(h, w, ...)`
TYPES = "uint8, uint16, or floats in [0, 1]"


def channels_last(images: NDArray[Any]) -> NDArray[Any]:
    """Return images as `(n, h, w)` or `(n, h, w, 3)`.

    Args:
        images: `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)` with one or three channels.

    Raises:
        DataError: the array has another shape.
    """
    shape = images.shape
    if len(shape) == 4 and shape[3:] not in CHANNELS and shape[1:2] in CHANNELS:
        images = np.moveaxis(images, 1, 3)
    if images.ndim not in (3, 4) or images.shape[3:] not in CHANNELS or 0 in images.shape[1:]:
        raise DataError(f"expected images of (n, h, w) or (n, h, w, 3), got an array of {shape}")
    return images[..., 0] if images.shape[3:] == (1,) else images


def to_bytes(array: NDArray[Any], where: str, grey: GreyRange | None = None) -> NDArray[np.uint8]:
    """Convert pixel values of uint8, uint16, or floats in [0, 1] to levels from 0 to 255.

    Args:
        array: images of any shape.
        where: name of the array in messages.
        grey: values of black and white in uint16 images, which are refused without it.

    Raises:
        DataError: the values have another type, or are floats outside of [0, 1].
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16 and grey is not None:
        return np.stack([grey.to_bytes(image) for image in array]) if len(array) else _none(array)
    if array.dtype.kind != "f":
        raise DataError(f"{where} is of dtype {array.dtype}: expected {TYPES}{_to_convert(array)}")
    if not array.size:
        return _none(array)
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):  # false for NaN too
        advice = _to_scale(low, high)
        raise DataError(f"{where} holds floats from {low:g} to {high:g}: expected [0, 1]; {advice}")
    # At least float32: half precision would lose the 0.5 in sums near 255.
    return (array.astype(np.promote_types(array.dtype, np.float32)) * 255 + 0.5).astype(np.uint8)


def _none(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.empty(array.shape, np.uint8)


def _to_convert(array: NDArray[Any]) -> str:
    """Return how to convert integers whose values would fit, or ""."""
    fits = array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255
    return '; convert them with .astype("uint8")' if fits else ""


def _to_scale(low: float, high: float) -> str:
    """Return what to do about floats outside of [0, 1]."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "replace the values that are not finite"
    if low < 0:
        return (
            "they seem to be normalised: pass them as they were before (x * std + mean), because "
            "each model normalises its images itself"
        )
    return "divide them by 255" if high <= 255 else "scale them"
