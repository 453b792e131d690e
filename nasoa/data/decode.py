"""Decode an image file as a person sees it: upright, in RGB, on white where it is transparent."""

from __future__ import annotations

import importlib.util
import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from nasoa.config import DataConfig
from nasoa.data.deep_colour import colour_values, is_deep_colour
from nasoa.data.grey_range import WHOLE, GreyRange, is_deep, range_of_values
from nasoa.data.image_messages import silence_libtiff
from nasoa.errors import DataError

T = TypeVar("T")
# Pillow supports other formats, some of which start other programs (EPS) or are not photographs.
# Formats that it imports at once come first. Multi-picture files (MPO) are opened as JPEG.
FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM", "DIB", "WEBP", "TIFF", "JPEG2000", "TGA"),
    *(("AVIF",) if importlib.util.find_spec("PIL.AvifImagePlugin") else ()),
)
# Decoded at a reduced scale, a baseline JPEG of any size needs little memory.
MAX_JPEG_PIXELS = 178_000_000
_REDUCING_GAP = 3.0


class UnreadableImage(DataError):
    """A file that cannot be read as an image, or that is too large."""


@contextmanager
def image_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings about unusual metadata, and about sizes, which are checked here.

    It changes global state, so enter it around the threads that decode, not in each of them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def open_image(file: IO[bytes]) -> Image.Image:
    """Open an image in one of `FORMATS`, reading only its header. Raises whatever Pillow raises."""
    silence_libtiff()
    return Image.open(file, formats=FORMATS)


def check_size(image: Image.Image, path: str, max_pixels: int) -> None:
    """Check the number of pixels of an image.

    A baseline JPEG, which is decoded at a reduced scale, may have up to `MAX_JPEG_PIXELS`.

    Raises:
        UnreadableImage: the image has more than `max_pixels`; the message names it.
    """
    in_parts = image.format in ("JPEG", "MPO") and "progressive" not in image.info
    most = max(max_pixels, MAX_JPEG_PIXELS) if in_parts else max_pixels
    if image.width * image.height > most:
        raise UnreadableImage(
            f"image {path} has {image.width} x {image.height} pixels: "
            f"expected at most {most}; scale it down"
        )


def reading(path: str, max_pixels: int, read: Callable[[], T]) -> T:
    """Return the result of `read`, a function that reads the image at `path`.

    Raises:
        UnreadableImage: the file is not an image, is damaged or truncated, or has more than
            `max_pixels` pixels.
    """
    try:
        return read()
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise UnreadableImage(
            f"image {path} has too many pixels: expected at most {max_pixels}; scale it down"
        ) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files.
        raise UnreadableImage(f"{path} cannot be read as an image: {_reason(error)}") from None


def decode(
    opener: Callable[[], Image.Image],
    path: str,
    resolution: int,
    max_pixels: int,
    grey_range: GreyRange | None = None,
) -> NDArray[np.uint8]:
    """Decode an image and resize it to a square.

    The aspect ratio is not kept, as a crop could lose the object that the class is about.

    Args:
        opener: function that opens the image.
        path: path of the image, for messages.
        resolution: height and width of the result.
        max_pixels: see `check_size`.
        grey_range: see `to_rgb`.

    Returns:
        `(3, resolution, resolution)` RGB pixels.

    Raises:
        UnreadableImage: the file is not an image, is damaged or truncated, or is larger than
            `check_size` allows.
    """
    size = (resolution, resolution)

    def read() -> NDArray[np.uint8]:
        image = opener()
        check_size(image, path, max_pixels)
        least = _draft_size(min(image.size), resolution)
        image.draft(None, (least, least))  # JPEG only; no effect on other formats
        rgb = to_rgb(image, grey_range)
        if rgb.size != size:
            # Pillow's bilinear filter widens with the scale, so it antialiases. Much larger images
            # are first averaged over blocks, which is faster.
            rgb = rgb.resize(size, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP)
        return np.asarray(rgb).transpose(2, 0, 1)

    return reading(path, max_pixels, read)


def _draft_size(side: int, resolution: int) -> int:
    """Return the smallest shorter side to which a JPEG may be reduced when it is decoded.

    Decoding at a half or a quarter of the scale discards fine detail, so the image must keep twice
    the resolution. At an eighth, pixels are exact averages of blocks; with one and a half times the
    resolution, they differ from full decoding by half a grey level on average.

    Args:
        side: shorter side in the file, in pixels.
        resolution: height and width of the result.
    """
    return 3 * resolution // 2 if side >= 12 * resolution else 2 * resolution


def to_rgb(image: Image.Image, grey_range: GreyRange | None = None) -> Image.Image:
    """Convert an image to RGB, upright and with transparent parts on white.

    Args:
        image: image in any mode.
        grey_range: values of black and white in images of more than 8 bits; by default 0 and 65535,
            or the range of the image's own values if they are floats.
    """
    if grey_range not in (None, WHOLE) and is_deep_colour(image):
        _scale_colours(image, grey_range)
    image.load()
    image = _upright(_adobe_polarity(image))
    if is_deep(image):
        values = np.asarray(image)
        default = range_of_values([values]) if image.mode == "F" else WHOLE
        return Image.fromarray((grey_range or default).to_bytes(values)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _scale_colours(image: Image.Image, grey_range: GreyRange) -> None:
    """Replace the upper bytes of colours of 16 bits by their levels within a range."""
    values = colour_values(image)
    levels = grey_range.to_bytes(values)
    if values.shape[2] == 4 and values[..., 3].max() > grey_range.white:
        levels[..., 3] = WHOLE.to_bytes(values[..., 3])
    image.paste(Image.fromarray(levels))


def read_image(
    path: str, resolution: int, config: DataConfig, grey_range: GreyRange | None = None
) -> NDArray[np.uint8]:
    """Read an image file in the same way as the images of a data set.

    It is thread-safe within `image_warnings`.

    Returns:
        `(3, resolution, resolution)` RGB pixels.

    Raises:
        DataError: the file is missing, is not an image, or is larger than `config` allows; the
            message names it.
    """
    opener = partial(_open_file, path, config.max_file_bytes)
    return decode(opener, path, resolution, config.max_pixels, grey_range)


def _open_file(path: str, max_bytes: int) -> Image.Image:
    if not os.path.isfile(path):
        raise DataError(f"no image file {path!r}: expected the path of an image")
    with open(path, "rb") as file:
        return open_image(io.BytesIO(read_bounded(file, path, max_bytes)))


def read_bounded(file: IO[bytes], path: str, max_bytes: int) -> bytes:
    """Return the rest of a file.

    Raises:
        UnreadableImage: it has more than `max_bytes`; nothing is read then.
    """
    begin = file.tell()
    num_bytes = file.seek(0, os.SEEK_END) - begin
    if num_bytes > max_bytes:
        raise UnreadableImage(f"image {path} has {num_bytes} bytes: expected at most {max_bytes}")
    file.seek(begin)
    return file.read(num_bytes)


def _upright(image: Image.Image) -> Image.Image:
    # Damaged EXIF data has no orientation, but the pixels are intact.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _adobe_polarity(image: Image.Image) -> Image.Image:
    """Undo Pillow's inversion of CMYK JPEGs without Adobe's marker, which are not inverted."""
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image


def _reason(error: Exception) -> str:
    """Return the reason why Pillow failed, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or empty"
    return (str(error) or type(error).__name__).splitlines()[0]
