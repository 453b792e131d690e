"""Find one range of values for all images of a data set that have more than eight bits.

A 12-bit scanner writes 16-bit files, which are almost black if 65535 is taken as white. So the
values of black and white are read from the files or, if these do not state them or exceed them,
estimated from the pixel values of a sample.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nasoa.config import CheckTime, untimed
from nasoa.data.deep_colour import colour_values, is_deep_colour
from nasoa.data.source import ImageSource

# Numbers of bits that the values of a scanner or camera may have.
_BITS = (8, 10, 12, 14, 16)
_NEVER_DEEP = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".avif"})
_SAMPLED_IMAGES = 256
_ROW_VALUES = 2**20
_SAMPLED_PIXELS = 32_000_000
# TIFF tags of the smallest and the largest value of each channel.
_MIN_TAGS, _MAX_TAGS = (340, 280), (341, 281)

logger = logging.getLogger(__name__)


class GreyRange(NamedTuple):
    """The values of black and white; values outside the range are clipped."""

    black: float
    white: float

    def to_bytes(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Convert values of any shape and type to levels from 0 to 255."""
        levels = np.empty(values.shape, np.uint8)
        # A few rows at a time: 64 megapixels in double precision take half a gigabyte.
        step = max(1, _ROW_VALUES // max(1, values[:1].size))
        for start in range(0, len(values), step):
            with np.errstate(all="ignore"):  # of numbers that are not finite
                scaled = (values[start : start + step].astype(np.float64) - self.black) * (
                    255 / (self.white - self.black)
                )
                # The tiny offset keeps exact results from being rounded down.
                scaled = np.nan_to_num(scaled + 1e-9, copy=False, posinf=255, neginf=0)
                levels[start : start + step] = scaled.clip(0, 255, out=scaled)
        return levels


WHOLE = GreyRange(0, 65535)


def is_deep(image: Image.Image) -> bool:
    """Return whether an image is grey and has integers of more than eight bits, or floats."""
    return image.mode.startswith("I") or image.mode == "F"


def deep_values(image: Image.Image) -> NDArray[np.generic]:
    """Load an image of more than eight bits, and return its values without alpha."""
    return colour_values(image)[..., :3] if is_deep_colour(image) else np.asarray(image)


def range_of_values(values: Sequence[NDArray[np.generic]]) -> GreyRange:
    """Estimate the range of values.

    Black is 0. White is the largest number of 8, 10, 12, 14 or 16 bits, or for floats 1 or 255: the
    first that no value exceeds, or else the largest value. If there are negative values, the range
    extends from the smallest to the largest value.

    Args:
        values: pixel values of several images, each with at least one finite value.
    """
    finite = [array[np.isfinite(array)] for array in values]
    low = float(min(array.min(initial=0) for array in finite))
    high = float(max(array.max(initial=0) for array in finite))
    if any(array.dtype.kind == "f" for array in values):
        whites = [1.0, 255.0]
    else:
        whites = [float(2**bits - 1) for bits in _BITS]
    white = next((white for white in whites if high <= white), high)
    if low < 0 or high > white:
        return GreyRange(low, high if high > low else low + 1)
    return GreyRange(0, white)


def sampled_range(
    source: ImageSource, data: str, max_pixels: int, check_time: CheckTime = untimed
) -> GreyRange | None:
    """Return the grey range of a data set, or None if a sample has no images of more than 8 bits.

    The range is logged.

    Args:
        source: source of the images; unreadable and too large ones are skipped.
        data: DATA, for the log.
        max_pixels: most pixels of an image.
        check_time: called while images are read; raises if reading would take too long.
    """
    maybe = [
        index
        for index, record in enumerate(source.records)
        if PurePosixPath(record.path).suffix.lower() not in _NEVER_DEEP
    ]
    places = np.linspace(0, len(maybe) - 1, min(len(maybe), _SAMPLED_IMAGES)).astype(int)
    stated: list[GreyRange] = []
    values: list[NDArray[np.generic]] = []
    num_pixels = 0
    began_s = time.monotonic()
    for number, place in enumerate(np.unique(places).tolist()):
        check_time(number / len(places), began_s)
        try:
            with source.header(maybe[place]) as header:
                if not is_deep(header) and not is_deep_colour(header):
                    continue
                size = header.width * header.height
            left = _SAMPLED_PIXELS - num_pixels if stated or values else max_pixels
            if size > min(left, max_pixels):
                continue
            num_pixels += size
            with source.open(maybe[place]) as image:
                own = stated_range(image)
                deep = deep_values(image)
            if own is not None and _holds(own, deep):
                stated.append(own)
            else:
                values.append(deep)
        except Exception as error:
            logger.debug("%s: %s", source.records[maybe[place]].path, error)
    if not stated and not values:
        return None
    found = _joined([*stated, *([range_of_values(values)] if values else [])])
    logger.warning(
        "%s: images have more than 8 bits; %g is taken as black and %g as white, %s",
        data,
        found.black,
        found.white,
        "as estimated from their values" if values else "as the files state",
    )
    return found


def stated_range(image: Image.Image) -> GreyRange | None:
    """Return the range that a file states for its values, or None if it does not state one."""
    if image.format == "PPM":  # Pillow has already scaled the values by the maximum in the header
        return WHOLE
    if image.format == "PNG":
        bits = _significant_bits(image)
        return GreyRange(0, 2**bits - 1) if bits else None
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return None
    white = next((_first(tags[tag]) for tag in _MAX_TAGS if tag in tags), None)
    black = next((_first(tags[tag]) for tag in _MIN_TAGS if tag in tags), 0.0)
    return GreyRange(black, white) if white is not None and white > black else None


def _holds(stated: GreyRange, values: NDArray[np.generic]) -> bool:
    """Return whether values are within a range; PNGs may state fewer bits than their values use."""
    return float(values.max(initial=0, where=np.isfinite(values))) <= stated.white


def _joined(ranges: Sequence[GreyRange]) -> GreyRange:
    return GreyRange(min(own.black for own in ranges), max(own.white for own in ranges))


def _significant_bits(image: Image.Image) -> int:
    """Return the number of significant bits in the sBIT chunk of a PNG; 0 if there is none."""
    file = getattr(image, "fp", None)
    if file is None:
        return 0
    before = file.tell()
    try:
        file.seek(8)
        while True:
            length = int.from_bytes(file.read(4), "big")
            name = file.read(4)
            if name == b"sBIT" and length > 0:
                return max(bytes(file.read(length)), default=0)
            if name in (b"IDAT", b"IEND", b""):
                return 0
            file.seek(length + 4, 1)
    finally:
        file.seek(before)


def _first(value: object) -> float:
    return float(value[0] if isinstance(value, tuple) else value)  # type: ignore[arg-type]
