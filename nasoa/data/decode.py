"""An image file as a person sees it: upright, in RGB, on white where it is transparent."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from nasoa.config import DataConfig
from nasoa.errors import DataError

T = TypeVar("T")
_REDUCING_GAP = 3.0


class UnreadableImage(DataError):
    """A file that is no image, or only a part of one."""


@contextmanager
def image_warnings() -> Iterator[None]:
    """Quiet about odd metadata; an image far over Pillow's pixel limit is an error.

    Not for several threads at a time: it is entered around the threads that decode.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def check_size(size: tuple[int, int], path: str, max_pixels: int) -> None:
    """Refuse an image of more than `max_pixels`.

    Raises:
        DataError: names the image.
    """
    width, height = size
    if width * height > max_pixels:
        raise DataError(
            f"image {path} has {width} x {height} pixels: "
            f"expected at most {max_pixels}; scale it down"
        )


def reading(path: str, max_pixels: int, read: Callable[[], T]) -> T:
    """What `read`, which reads the image at `path`, returns; its errors said in one line.

    Raises:
        UnreadableImage: not an image, damaged, or cut short.
        DataError: so many pixels that Pillow refuses.
    """
    try:
        return read()
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"image {path} has too many pixels: expected at most {max_pixels}; scale it down"
        ) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files.
        raise UnreadableImage(f"{path} cannot be read as an image: {_reason(error)}") from None


def decode(
    opener: Callable[[], Image.Image], path: str, resolution: int, max_pixels: int
) -> NDArray[np.uint8]:
    """`(3, resolution, resolution)` RGB of the image that `opener` gives.

    The whole image is kept and its aspect is not: a crop could lose what the class is about.

    Raises:
        UnreadableImage: not an image, damaged, or cut short.
        DataError: more pixels than `max_pixels`.
    """
    size = (resolution, resolution)

    def read() -> NDArray[np.uint8]:
        image = opener()
        check_size(image.size, path, max_pixels)
        least = _draft_size(min(image.size), resolution)
        image.draft(None, (least, least))  # JPEG only; no effect on other formats
        rgb = to_rgb(image)
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


def to_rgb(image: Image.Image) -> Image.Image:
    """The image upright and in RGB, transparent parts on white, deep greys by their range."""
    image.load()
    image = _upright(_adobe_polarity(image))
    if image.mode.startswith("I"):
        # 16 bits, which some formats give as 32.
        grey = np.asarray(image).astype(np.int64).clip(0, 65535) // 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        values = np.asarray(image)
        scaled = values * 255 if values.max(initial=0) <= 1 else values
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def read_image(path: str, resolution: int, config: DataConfig) -> NDArray[np.uint8]:
    """Return an image file as `(3, resolution, resolution)` RGB, as a data set's images are read.

    Several threads may call it at a time, inside `image_warnings`.

    Raises:
        DataError: the file is missing, not an image, or larger than `config` allows; names it.
    """
    opener = partial(_open_file, Path(path), config.max_file_bytes)
    return decode(opener, path, resolution, config.max_pixels)


def _open_file(path: Path, max_bytes: int) -> Image.Image:
    if not path.is_file():
        raise DataError(f"no image file {str(path)!r}: expected the path of an image")
    num_bytes = path.stat().st_size
    if num_bytes > max_bytes:
        raise DataError(f"image {path} has {num_bytes} bytes: expected at most {max_bytes}")
    return Image.open(io.BytesIO(path.read_bytes()))


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
