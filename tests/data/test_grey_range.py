"""Grey images of more than eight bits, and images of floats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.data.grey_range import WHOLE, GreyRange, range_of_values, sampled_range
from nasoa.data.open_data import open_source

MakeImages = Callable[[float], Image.Image]


def grey16(level: float) -> Image.Image:
    """Return a 16-bit image of a single value."""
    return Image.fromarray(np.full((20, 20), level, np.uint16))


def floats(level: float) -> Image.Image:
    return Image.fromarray(np.full((20, 20), level, np.float32))


def write(root: Path, levels: dict[str, list[float]], suffix: str, make: MakeImages) -> str:
    for name, values in levels.items():
        (root / name).mkdir(parents=True)
        for number, level in enumerate(values):
            make(level).save(root / name / f"{number}{suffix}")
    return str(root)


def levels_of(data: ImageDataset) -> set[int]:
    splits = (data.train, data.val, data.test)
    return {int(v) for s in splits for v in s.images(torch.arange(len(s))).unique()}


@pytest.mark.parametrize(
    ("white", "suffix"), [(4095, ".png"), (4095, ".tif"), (1023, ".png"), (16383, ".tif")]
)
@pytest.mark.parametrize("budget", [0, 2**30])
def test_fewer_bits_than_the_file_has(
    tmp_path: Path, white: int, suffix: str, budget: int, caplog: pytest.LogCaptureFixture
) -> None:
    levels = {"dark": [white * 0.2] * 4, "light": [float(white)] * 4}
    data = load_dataset(
        write(tmp_path / "x", levels, suffix, grey16),
        seed=0,
        config=DataConfig(memory_budget_bytes=budget),
    )
    assert data.grey_range == (0, white)
    assert levels_of(data) <= {50, 51, 255}
    assert f"0 is taken as black and {white} as white, as estimated" in caplog.text


def test_all_sixteen_bits_are_as_ever(tmp_path: Path) -> None:
    levels = {"dark": [257.0 * 40] * 4, "light": [257.0 * 240] * 4}
    data = load_dataset(write(tmp_path / "x", levels, ".png", grey16), seed=0)
    assert (data.grey_range, levels_of(data)) == (WHOLE, {40, 240})


@given(values=st.lists(st.integers(0, 65535), min_size=1))
def test_the_whole_range_is_a_division(values: list[int]) -> None:
    array = np.array(values, np.uint16)
    assert (WHOLE.to_bytes(array) == array // 257).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.4]), (0, 1)),
        (np.array([0.0, 240.5]), (0, 255)),
        (np.array([0.0, 3000.0]), (0, 3000)),
        (np.array([-1000.0, np.nan, 3000.0, np.inf]), (-1000, 3000)),
        (np.array([-3.0, -3.0]), (-3, 0)),
        (np.array([-1000, 2000], np.int32), (-1000, 2000)),
        (np.array([0, 100_000], np.int32), (0, 100_000)),
        (np.array([0, 255], np.uint16), (0, 255)),
        (np.array([np.nan]), (0, 1)),
    ],
)
def test_ranges(values: NDArray[np.generic], expected: tuple[float, float]) -> None:
    found = range_of_values([values])
    assert found == expected
    assert np.isin(found.to_bytes(values), np.arange(256)).all()


def test_floats_have_one_range_for_all(tmp_path: Path) -> None:
    levels = {"dark": [0.5, 0.5, 1.0, 1.0], "light": [200.0, 200.0, 250.0, 250.0]}
    data = load_dataset(write(tmp_path / "x", levels, ".tif", floats), seed=0)
    assert (data.grey_range, levels_of(data)) == ((0, 255), {0, 1, 200, 250})


def stating_png(level: float) -> Image.Image:
    image = grey16(level)
    save = image.save

    def with_bits(path: Path) -> None:
        info = PngImagePlugin.PngInfo()
        info.add(b"sBIT", bytes([12]))
        save(path, pnginfo=info)

    image.save = with_bits  # type: ignore[assignment, method-assign]
    return image


def stating_tiff(level: float) -> Image.Image:
    image = grey16(level)
    save = image.save

    def with_tag(path: Path) -> None:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[281] = 4095
        save(path, tiffinfo=tags)

    image.save = with_tag  # type: ignore[assignment, method-assign]
    return image


@pytest.mark.parametrize(("make", "suffix"), [(stating_png, ".png"), (stating_tiff, ".tif")])
def test_what_the_files_state_is_believed(
    tmp_path: Path, make: MakeImages, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    levels = {"dark": [4095 * 0.2] * 4, "light": [4095 * 0.4] * 4}
    data = load_dataset(write(tmp_path / "x", levels, suffix, make), seed=0)
    assert (data.grey_range, levels_of(data)) == ((0, 4095), {51, 102})
    assert "as the files state" in caplog.text


def test_images_that_are_too_large_are_not_sampled(tmp_path: Path) -> None:
    levels = {"dark": [819.0] * 4, "light": [4095.0] * 4}
    source = open_source(write(tmp_path / "x", levels, ".png", grey16), DataConfig(), None)
    assert sampled_range(source, "x", 20 * 20 - 1) is None
    assert sampled_range(source, "x", 20 * 20) == (0, 4095)


def test_eight_bits_have_no_range(tmp_path: Path) -> None:
    levels = {"dark": [30.0] * 4, "light": [200.0] * 4}

    def grey8(level: float) -> Image.Image:
        return Image.new("L", (20, 20), int(level))

    data = load_dataset(write(tmp_path / "x", levels, ".png", grey8), seed=0)
    assert (data.grey_range, levels_of(data)) == (None, {30, 200})


def test_arrays_of_twelve_bits(tmp_path: Path) -> None:
    images = np.repeat(np.array([819, 4095], np.uint16), 6)[:, None, None] * np.ones(
        (1, 9, 9), np.uint16
    )
    np.savez(tmp_path / "x.npz", x=images, y=np.repeat([0, 1], 6))
    assert levels_of(load_dataset(str(tmp_path / "x.npz"), seed=0)) == {51, 255}


def test_a_range_is_of_two_numbers() -> None:
    assert GreyRange(10, 20).to_bytes(np.array([0, 10, 15, 20, 99])).tolist() == [
        0,
        0,
        127,
        255,
        255,
    ]
