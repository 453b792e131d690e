"""Data in memory: the same checks and the same pixels, whatever the type of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import nasoa
from nasoa.api.in_memory import as_data
from nasoa.data import load_dataset
from nasoa.data.grey_range import GreyRange
from nasoa.errors import InvalidInput
from tests.random_model import random_model

COUNT = 12
LEVELS = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
LEVELS[0, 0, 0] = (0, 255, 255)
NUMBERS = np.arange(COUNT) % 2
WORDS = np.array(["daisy", "tulip"])[NUMBERS]


class Pairs:
    """A Dataset without class names."""

    def __init__(self, images: Any, labels: Any) -> None:
        self.pairs = list(zip(images, labels, strict=True))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Any:
        return self.pairs[index]


FORMS = {
    "numbers": lambda images: (images, NUMBERS),
    "words": lambda images: (images, WORDS),
    "dataset": lambda images: Pairs(images, NUMBERS),
}


def pixels_of(data: object) -> tuple[NDArray[np.uint8], GreyRange | None]:
    """Return all images as nasoa sees them, in a fixed order, and their range."""
    with as_data(data) as path:
        found = load_dataset(path, seed=0)
    splits = (found.train, found.val, found.test)
    pixels = torch.cat([split.images(torch.arange(len(split))) for split in splits]).numpy()
    return pixels[np.lexsort(pixels.reshape(COUNT, -1).T[:3])], found.grey_range


KINDS: dict[str, tuple[Any, Any]] = {
    "uint8": (LEVELS, None),
    "floats": (LEVELS / 255, None),
    "half floats": ((LEVELS / 255).astype(np.float16), None),
    "channels first": (np.moveaxis(LEVELS, 3, 1), None),
    "tensor": (torch.from_numpy(LEVELS).permute(0, 3, 1, 2).float() / 255, None),
    "sixteen bits": (LEVELS.astype(np.uint16) * 257, (0, 65535)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_every_kind_are_the_same_images(kind: str, form: str) -> None:
    given, grey = KINDS[kind]
    expected, _ = pixels_of((LEVELS, NUMBERS))
    found, found_grey = pixels_of(FORMS[form](given))
    assert (found == expected).all()
    assert found_grey == grey


@pytest.mark.parametrize("form", FORMS)
def test_twelve_bits_are_scaled_by_the_range_of_the_data_set(form: str) -> None:
    twelve = ((LEVELS.astype(np.uint32) * 4095 + 254) // 255).astype(np.uint16)
    found, grey = pixels_of(FORMS[form](twelve))
    expected, _ = pixels_of((LEVELS, NUMBERS))
    assert grey == (0, 4095)
    assert (found == expected).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("images", "said"),
    [
        (LEVELS.astype(np.float32), r"floats from 0 to 255: expected \[0, 1\]; divide them by 255"),
        (
            (LEVELS / 255 - 0.5) / 0.25,
            r"floats from -2 to 2: .* normalised: pass them as they were",
        ),
        (LEVELS / 255 * np.nan, "not finite"),
        (
            LEVELS.astype(np.int64),
            r'int64: expected uint8, .*; convert them with .astype\("uint8"\)',
        ),
        (LEVELS > 99, "dtype bool: expected uint8, uint16, or floats"),
        (LEVELS[..., [0, 1, 2, 2]], r"images of \(n, h, w\) or \(n, h, w, 3\)"),
    ],
)
def test_other_values_are_refused_whatever_the_labels(form: str, images: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said), as_data(FORMS[form](images)):
        pass


def test_images_of_several_sizes_are_no_array() -> None:
    with (
        pytest.raises(InvalidInput, match="expected images of one size"),
        as_data(([LEVELS[0], LEVELS[1][:9]], ["a", "b"])),
    ):
        pass


def test_pictures_of_a_dataset_are_read_as_files_are() -> None:
    """Transparent parts are white, deep greys keep their range, and the caller's are unchanged."""
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    turned = Image.fromarray(LEVELS[0])
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.info["exif"] = exif.tobytes()
    found, grey = pixels_of(Pairs([clear, turned] * 6, NUMBERS))
    assert grey is None
    assert (found == 255).all(axis=(1, 2, 3)).sum() == 6
    upright = LEVELS[0, ::-1, ::-1].transpose(2, 0, 1)
    assert (found == upright).all(axis=(1, 2, 3)).sum() == 6
    assert turned.info["exif"] == exif.tobytes()
    assert (np.asarray(turned) == LEVELS[0]).all()
    deep = [Image.fromarray(LEVELS[i, ..., 0].astype(np.uint16) * 16) for i in range(COUNT)]
    found, grey = pixels_of(Pairs(deep, NUMBERS))
    assert grey == (0, 4095)
    assert found.max() > 200


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    for number, image in enumerate(LEVELS):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    paths = [str(tmp_path / f"{number}.png") for number in range(COUNT)]
    return pd.DataFrame({"label": WORDS, "file": paths})


def test_the_first_missing_file_is_named(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "3.png").unlink()
    (tmp_path / "7.png").unlink()
    with (
        pytest.raises(InvalidInput, match=r"column 'file'.*'.*/3\.png' \(2 of 12 are"),
        as_data(frame),
    ):
        pass
    # None of them, as from another folder.
    monkeypatch.chdir("/")
    elsewhere = frame.assign(file=[f"photos/{number}.jpg" for number in range(COUNT)])
    told = r"no file 'photos/0\.jpg' \(12 of 12 are missing\); relative paths start at /$"
    with pytest.raises(InvalidInput, match=told), as_data(elsewhere):
        pass
    empty = frame.assign(file=[*frame["file"][:11], float("nan")])
    (tmp_path / "3.png").touch()
    (tmp_path / "7.png").touch()
    with pytest.raises(InvalidInput, match=r"no file 'nan' \(1 of 12"), as_data(empty):
        pass


def test_a_label_that_is_also_a_file_is_no_path(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "daisy").touch()
    with as_data(frame) as data:
        assert load_dataset(data, seed=0).class_names == ("daisy", "tulip")


def test_paths_of_a_frame_may_begin_at_home(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = frame.assign(file=[f"~/{number}.png" for number in range(COUNT)])
    with as_data(home) as data:
        assert load_dataset(data, seed=0).class_names == ("daisy", "tulip")


@pytest.fixture
def model(tmp_path: Path) -> nasoa.Model:
    files, _card = random_model(("x", "y"), resolution=32)
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return nasoa.load(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_takes_what_fit_takes(model: nasoa.Model, kind: str) -> None:
    expected = model.probabilities(LEVELS)
    assert model.probabilities(KINDS[kind][0]) == pytest.approx(expected, abs=1e-6)


def test_a_model_refuses_what_fit_refuses(model: nasoa.Model) -> None:
    for images in (LEVELS.astype(float), LEVELS / 255 - 0.5, LEVELS.astype(int), LEVELS[0, 0]):
        with pytest.raises(InvalidInput):
            model.probabilities(images)
        with pytest.raises(InvalidInput), as_data((images, WORDS)):
            pass
    assert model.probabilities(LEVELS[:0]).shape == (0, 2)
