"""What the kinds of images share: an image file is read as one of a data set, beside a good one."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from PIL import Image

from nasoa.data.decode import decode, image_warnings, open_image
from nasoa.data.file_source import FileSource
from nasoa.data.grey_range import sampled_range
from nasoa.data.reader import ImageReader
from tests.fuzz.given import CONFIG, RESOLUTION, MemoryFiles


def read_image_bytes(raw: bytes, suffix: str) -> None:
    """Read an image as `predict` does, and as the only image of a data set."""
    name = f"cat/0{suffix}"
    source = FileSource(MemoryFiles({name: raw}), "set", "set.zip", CONFIG)
    with image_warnings():
        grey = sampled_range(source, "DATA", CONFIG.max_pixels)
        reader = ImageReader(source, RESOLUTION, CONFIG.max_pixels, 1, grey_range=grey)
        pixels = reader.read(0)
        assert pixels.shape == (3, RESOLUTION, RESOLUTION)
        assert pixels.dtype == np.uint8
        opener = partial(open_image, io.BytesIO(raw))
        decode(opener, name, RESOLUTION, CONFIG.max_pixels)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of an image."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (24, 17)) -> Image.Image:
    """An image of some mode."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(pixels)
    if mode in ("I;16", "I", "F"):
        values = pixels[..., 0].astype(np.uint16) * 257
        kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        return Image.fromarray(values.astype(kinds[mode]))
    return image.convert(mode)
