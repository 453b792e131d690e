"""Images in every mode are decoded as a person sees them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from nasoa.config import DataConfig
from nasoa.data.decode import image_warnings, read_image, to_rgb
from nasoa.errors import DataError


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seen(raw: bytes) -> NDArray[np.uint8]:
    """Return the `(h, w, 3)` pixels of a decoded file."""
    rgb = to_rgb(Image.open(io.BytesIO(raw)))
    assert rgb.mode == "RGB"
    return np.asarray(rgb)


@pytest.mark.parametrize(
    ("orientation", "place"),
    [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (4, (1, 0)), (5, (0, 0)), (6, (0, 1)), (8, (1, 0))],
)
def test_exif_orientation_is_applied(orientation: int, place: tuple[int, int]) -> None:
    image = Image.new("RGB", (32, 16), "black")
    image.paste("red", (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = seen(encoded(image, "PNG", exif=exif))
    assert pixels.shape[:2] == ((32, 16) if orientation >= 5 else (16, 32))
    quarters = pixels.reshape(2, pixels.shape[0] // 2, 2, pixels.shape[1] // 2, 3).mean((1, 3))
    expected = np.zeros((2, 2, 3))
    expected[place] = (255, 0, 0)
    assert np.array_equal(quarters, expected)


SECOND = {"save_all": True, "append_images": [Image.new("RGB", (64, 48))]}


@pytest.mark.parametrize(
    ("kind", "options", "mode"),
    [
        *((kind, {}, "RGB") for kind in ("AVIF", "WEBP", "JPEG2000", "BMP", "TGA", "PPM")),
        *((kind, SECOND, "RGB") for kind in ("WEBP", "GIF", "PNG", "TIFF")),
        *(("TIFF", {}, mode) for mode in ("LAB", "CMYK", "YCbCr")),
        ("TIFF", {"compression": "jpeg"}, "RGB"),
    ],
)
def test_the_first_frame_of_other_formats_and_modes(
    kind: str, options: dict[str, object], mode: str
) -> None:
    rgb = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    rgb.paste("red", (0, 0, 32, 24))
    if mode == "LAB":
        profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
        image = ImageCms.profileToProfile(rgb, *profiles, outputMode="LAB")
        assert image is not None
    else:
        image = rgb.convert(mode)
    pixels = seen(encoded(image, kind, **options))
    assert np.abs(pixels.astype(int) - np.asarray(rgb)).mean() < 8


def test_damaged_exif_leaves_the_image_as_it_is() -> None:
    raw = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with image_warnings():
        assert np.allclose(seen(raw)[0, 0], (254, 0, 0), atol=2)


def test_grey_and_bilevel_become_three_equal_channels() -> None:
    ramp = np.arange(0, 256, 16, dtype=np.uint8).reshape(4, 4)
    assert np.array_equal(seen(encoded(Image.fromarray(ramp), "PNG")), np.stack([ramp] * 3, -1))
    bilevel = Image.fromarray(ramp > 100)
    assert set(seen(encoded(bilevel, "PNG")).reshape(-1).tolist()) == {0, 255}


def test_palette_is_looked_up_and_its_transparent_colour_is_white() -> None:
    image = Image.new("P", (4, 2), 0)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.paste(1, (2, 0, 4, 2))
    assert seen(encoded(image, "PNG"))[0].tolist() == [[255, 0, 0]] * 2 + [[0, 0, 255]] * 2
    hidden = seen(encoded(image, "PNG", transparency=1))
    assert hidden[0].tolist() == [[255, 0, 0]] * 2 + [[255, 255, 255]] * 2
    assert seen(encoded(image, "GIF", transparency=1))[0, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_over_white(mode: str) -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    pixels = seen(encoded(image.convert(mode), "PNG"))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert np.allclose(pixels[0, 2], 127, atol=1)


def without_adobe_marker(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[:start] + jpeg[start + 2 + length :]


def test_cmyk_with_adobes_marker_is_inverted_and_without_is_not() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.allclose(seen(encoded(red, "JPEG"))[0, 0], (255, 0, 0), atol=3)
    assert np.allclose(seen(encoded(red, "TIFF"))[0, 0], (255, 0, 0), atol=3)
    # Pillow stores the complement of the given values; without the marker, it is read as the ink.
    complement = Image.new("CMYK", (16, 16), (255, 0, 0, 255))
    plain = without_adobe_marker(encoded(complement, "JPEG"))
    assert np.allclose(seen(plain)[0, 0], (255, 0, 0), atol=3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_by_its_range(kind: str) -> None:
    deep = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    assert seen(encoded(Image.fromarray(deep), kind))[0, :, 0].tolist() == [0, 1, 127, 255]


def test_32_bit_grey_is_taken_for_16_bits() -> None:
    deep = np.array([[-5, 257, 65535, 70000]], dtype=np.int32)
    assert seen(encoded(Image.fromarray(deep), "TIFF"))[0, :, 0].tolist() == [0, 1, 255, 255]


def test_float_grey_is_of_0_to_1_or_of_0_to_255() -> None:
    unit = np.array([[0, 0.5, 1]], dtype=np.float32)
    for values in (unit, unit * 255):
        assert seen(encoded(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 127, 255]


def test_the_whole_image_is_kept_and_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((64, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    stripes[:, :16] = (255, 0, 0)
    stripes[:, -16:] = (0, 0, 255)
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    image = read_image(str(tmp_path / "stripes.png"), 32, DataConfig())
    assert image.shape == (3, 32, 32)
    assert image.dtype == np.uint8
    assert image[:, 10, 0].tolist() == [255, 0, 0]
    assert image[:, 10, -1].tolist() == [0, 0, 255]
    assert np.all(np.abs(image[0, :, 4:28].astype(int) - 127) < 16)


def test_a_jpeg_in_draft_mode_looks_like_the_full_one(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 512).astype(np.uint8)
    pixels = np.stack([np.tile(gradient, (512, 1)), np.tile(gradient, (512, 1)).T], -1)
    image = Image.fromarray(np.concatenate([pixels, pixels[..., :1]], -1))
    image.save(tmp_path / "large.jpg", quality=95)
    image.save(tmp_path / "large.png")
    draft, full = (
        read_image(str(tmp_path / name), 32, DataConfig()).astype(int)
        for name in ("large.jpg", "large.png")
    )
    assert np.abs(draft - full).max() <= 4


def photograph(width: int, height: int) -> Image.Image:
    """Return an image of soft shapes with the noise of a sensor."""
    rng = np.random.default_rng(0)
    shapes = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    pixels = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC))
    noise = rng.normal(0, 6, (height, width, 1))
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("resolution", [32, 48, 64, 120, 190, 224, 400])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_photograph_at_a_reduced_scale_looks_like_the_full_one(
    tmp_path: Path, resolution: int, suffix: str
) -> None:
    path = tmp_path / f"photograph.{suffix}"
    photograph(1200, 800).save(path, quality=92)
    full = Image.open(path).resize((resolution, resolution), Image.Resampling.BILINEAR)
    read = read_image(str(path), resolution, DataConfig()).transpose(1, 2, 0)
    difference = np.abs(read.astype(int) - np.asarray(full))
    assert difference.mean() < 1.5
    assert difference.max() <= 12


def test_an_image_of_the_right_size_is_not_resampled(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    Image.fromarray(noise).save(tmp_path / "noise.jpg")
    for name in ("noise.png", "noise.jpg"):
        read = read_image(str(tmp_path / name), 64, DataConfig()).transpose(1, 2, 0)
        assert np.array_equal(read, np.asarray(Image.open(tmp_path / name)))


def test_read_image_names_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    Image.new("RGB", (100, 100)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match=r"no image file '.*absent\.png'"):
        read_image(str(tmp_path / "absent.png"), 32, DataConfig())
    with pytest.raises(DataError, match=r"text\.jpg cannot be read as an image"):
        read_image(str(tmp_path / "text.jpg"), 32, DataConfig())
    with pytest.raises(DataError, match=r"large\.png has 100 x 100 pixels: expected at most 9999"):
        read_image(str(tmp_path / "large.png"), 32, DataConfig(max_pixels=9999))
    with pytest.raises(DataError, match=r"text\.jpg has 8 bytes: expected at most 7"):
        read_image(str(tmp_path / "text.jpg"), 32, DataConfig(max_file_bytes=7))
