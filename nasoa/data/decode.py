"""An image file as a person sees it: upright, in RGB, on white where it is transparent."""

from __future__ import annotations

import importlib.util
import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from nasoa.config import DataConfig
from nasoa.data.grey_range import WHOLE, GreyRange, is_deep, range_of_values
from nasoa.errors import DataError

T = TypeVar("T")
# Pillow knows more, some of which start other programs (EPS) or are no photographs. Those that it
# imports at once come first; the photographs of several cameras (MPO) begin as JPEG.
FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM", "DIB", "WEBP", "TIFF", "JPEG2000", "TGA"),
    *(("AVIF",) if importlib.util.find_spec("PIL.AvifImagePlugin") else ()),
)
# Decoded at a reduced scale, a baseline JPEG takes little memory, whatever its size.
MAX_JPEG_PIXELS = 178_000_000
_REDUCING_GAP = 3.0


class UnreadableImage(DataError):
    """A file that is no image, or only a part of one."""


@contextmanager
def image_warnings() -> Iterator[None]:
    """Quiet about odd metadata, and about sizes, which are checked here.

    Not for several threads at a time: it is entered around the threads that decode.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def open_image(file: IO[bytes]) -> Image.Image:
    """Open an image of one of `FORMATS`; only its header is read. Raises whatever Pillow does."""
    return Image.open(file, formats=FORMATS)


def check_size(image: Image.Image, path: str, max_pixels: int) -> None:
    """Refuse an image of more than `max_pixels`, or `MAX_JPEG_PIXELS` where it is decoded in parts.

    Raises:
        UnreadableImage: names the image.
    """
    in_parts = image.format in ("JPEG", "MPO") and "progressive" not in image.info
    most = max(max_pixels, MAX_JPEG_PIXELS) if in_parts else max_pixels
    if image.width * image.height > most:
        raise UnreadableImage(
            f"image {path} has {image.width} x {image.height} pixels: "
            f"expected at most {most}; scale it down"
        )


def reading(path: str, max_pixels: int, read: Callable[[], T]) -> T:
    """What `read`, which reads the image at `path`, returns; its errors said in one line.

    Raises:
        UnreadableImage: not an image, damaged, cut short, or of more than `max_pixels`.
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
    """`(3, resolution, resolution)` RGB of the image that `opener` gives.

    The whole image is kept and its aspect is not: a crop could lose what the class is about.
    `grey_range` is that of deep images; see `to_rgb`.

    Raises:
        UnreadableImage: not an image, damaged, cut short, or larger than `check_size` allows.
    """
    size = (resolution, resolution)

    def read() -> NDArray[np.uint8]:
        image = opener()
        check_size(image, path, max_pixels)
        least = _draft_size(min(image.size), resolution)
        image.draft(None, (least, least))  # JPEG only; no effect on other formats
        rgb = to_rgb(image, grey_range)
        if rgb.size != size:
            # Pillow's bilinear filter widens with the scale, so that it antialiases.
            # Before it, images of many times the size are averaged over blocks, which is faster.
            rgb = rgb.resize(size, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP)
        return np.asarray(rgb).transpose(2, 0, 1)

    return reading(path, max_pixels, read)


def _draft_size(side: int, resolution: int) -> int:
    """How large the shorter side of a JPEG is at least to be when it is decoded at a reduced scale.

    Decoding at a half or a quarter discards fine detail, so twice the resolution has to be left. At
    an eighth, pixels are exact averages of blocks, and one and a half times the resolution differs
    from full decoding by half a grey level on average.

    Args:
        side: shorter side in the file.
        resolution: that of the result.
    """
    return 3 * resolution // 2 if side >= 12 * resolution else 2 * resolution


def to_rgb(image: Image.Image, grey_range: GreyRange | None = None) -> Image.Image:
    """The image upright and in RGB, transparent parts on white.

    Args:
        image: any.
        grey_range: what is black and white in grey images of more than 8 bits; by default 0 and
            65535, or of floats what the image's own values tell.
    """
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


def read_image(
    path: str, resolution: int, config: DataConfig, grey_range: GreyRange | None = None
) -> NDArray[np.uint8]:
    """Return an image file as `(3, resolution, resolution)` RGB, as a data set's images are read.

    Several threads may call it at a time, inside `image_warnings`.

    Raises:
        DataError: the file is missing, not an image, or larger than `config` allows; names it.
    """
    opener = partial(_open_file, Path(path), config.max_file_bytes)
    return decode(opener, path, resolution, config.max_pixels, grey_range)


def _open_file(path: Path, max_bytes: int) -> Image.Image:
    if not os.path.isfile(path):
        raise DataError(f"no image file {str(path)!r}: expected the path of an image")
    with path.open("rb") as file:
        return open_image(io.BytesIO(read_bounded(file, str(path), max_bytes)))


def read_bounded(file: IO[bytes], path: str, max_bytes: int) -> bytes:
    """Return what is left of a file.

    Raises:
        UnreadableImage: it is more than `max_bytes`, which are not read then.
    """
    begin = file.tell()
    num_bytes = file.seek(0, os.SEEK_END) - begin
    if num_bytes > max_bytes:
        raise UnreadableImage(f"image {path} has {num_bytes} bytes: expected at most {max_bytes}")
    file.seek(begin)
    return file.read(num_bytes)


def _upright(image: Image.Image) -> Image.Image:
    # Damaged EXIF says nothing of the orientation; the pixels are whole.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _adobe_polarity(image: Image.Image) -> Image.Image:
    """Pillow takes every CMYK JPEG for inverted; only those that Adobe's marker is in are."""
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image


def _reason(error: Exception) -> str:
    """One short line of why Pillow gave up."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or empty"
    return (str(error) or type(error).__name__).splitlines()[0]
