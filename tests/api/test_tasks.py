"""Python interface: fine-tuning, recommending, and data in every form."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits

import nasoa
from nasoa.api.in_memory import as_data
from nasoa.api.result import FineTuneResult
from nasoa.data import load_dataset
from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.records import HEAD_ONLY

LIMIT = "15s"


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """`(180, 32, 32)` uint8 images of three digits, and the digits' names."""
    found = load_digits(n_class=3)
    order = np.random.default_rng(0).permutation(len(found.images))[:180]
    images = np.kron(found.images[order] * 15, np.ones((4, 4))).astype(np.uint8)
    return images, found.target[order]


@pytest.fixture(scope="module")
def folder(digits: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "photos"
    for number, (image, label) in enumerate(zip(*digits, strict=True)):
        own = path / f"digit {label}"
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(own / f"{number}.png")
    return path


@pytest.fixture(scope="module")
def result(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FineTuneResult:
    store = tmp_path_factory.mktemp("store")
    return nasoa.finetune(folder, LIMIT, store=store, models=["ET-NAS-A"], seed=1)


def test_three_lines_give_a_model(result: FineTuneResult, folder: Path) -> None:
    assert result.accuracy > 0.8
    assert result.regime.model == "ET-NAS-A"
    assert max(point.val_accuracy for point in result.curve) > 0.8
    assert result.confusion.sum() == len(result.predictions.labels)
    image = next((folder / "digit 1").iterdir())
    (answer,) = result.predict([image])
    assert answer.image == str(image)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-4)
    assert set(answer.probabilities) == {"digit 0", "digit 1", "digit 2"}
    assert "accuracy=" in repr(result)


def test_a_confusion_matrix_that_the_store_keeps_apart_is_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasoa.store.confusions.MOST_CLASSES", 2)
    found = nasoa.finetune(folder, LIMIT, store=tmp_path, models=["ET-NAS-A"])
    assert found.confusion.sum() == len(found.predictions.labels)


def test_predictions_are_of_the_test_images(result: FineTuneResult) -> None:
    said = result.predictions
    assert said.probabilities.shape == (len(said.labels), 3)
    assert (said.predicted == said.labels).mean() == pytest.approx(result.accuracy)
    counts = np.zeros((3, 3), dtype=int)
    np.add.at(counts, (said.labels, said.predicted), 1)
    assert (counts == result.confusion).all()


def test_the_energy_of_a_task_includes_its_learning(result: FineTuneResult) -> None:
    trained, whole = result.experience.energy, result.energy
    assert trained is not None
    assert whole is not None
    assert 0 < result.experience.task.energy.energy_wh < trained.energy_wh < whole.energy_wh  # type: ignore[union-attr]
    # Both cores for all of the limit, and 1 W of memory.
    most_wh = 15 / 3600 * (1 + whole.core_w * (os.cpu_count() or 1))
    assert whole.energy_wh < most_wh or whole.cpu_source == "rapl"
    assert whole.co2_g == pytest.approx(whole.energy_wh * whole.carbon_g_per_kwh / 1000, abs=1e-5)


def test_a_notebook_shows_the_task(result: FineTuneResult) -> None:
    shown = result._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "&lt;svg" in shown
    assert "<script" not in shown
    model = result.model._repr_html_()
    assert model.startswith("<iframe srcdoc=")
    assert f"accuracy {result.accuracy:.3f}" in model


def test_a_saved_model_is_loaded(result: FineTuneResult, folder: Path) -> None:
    model = nasoa.load(result.model_dir)
    assert model.class_names == result.predictions.class_names
    answers = model.predict(folder)
    right = [Path(a.image).parent.name == a.class_name for a in answers]
    assert len(answers) == 180
    assert np.mean(right) > 0.8
    with pytest.raises(InvalidInput, match="expected a folder with a saved model"):
        nasoa.load(folder)


def test_a_recommendation_trains_nothing(folder: Path, tmp_path: Path) -> None:
    found = nasoa.recommend(folder, 60, store=tmp_path, top=3)
    assert len(found.candidates) == 3
    assert found.candidates[0].regime.frozen_stages <= HEAD_ONLY
    assert not (tmp_path / "experience").exists()
    shown = found._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert found.candidates[0].regime.model in shown
    assert "<table" not in shown  # it is escaped within the frame
    with pytest.raises(TimeLimitError):
        nasoa.recommend(folder, "soon", store=tmp_path)


class Pairs(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """A data set like torchvision's: pairs, with class names."""

    classes = ("zero", "one", "two")

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index >= len(self):
            raise IndexError(index)
        image = torch.from_numpy(self.images[index]).float() / 255
        return image.expand(3, -1, -1), int(self.labels[index])


@pytest.mark.parametrize("form", ["path", "frame", "arrays", "words", "dataset"])
def test_data_in_every_form_are_the_same_images(
    form: str, folder: Path, digits: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = digits
    monkeypatch.chdir(folder.parent)
    paths = sorted(folder.rglob("*.png"))
    frame = pd.DataFrame(
        {
            "image": [str(path.relative_to(folder.parent)) for path in paths],
            "label": [path.parent.name for path in paths],
        }
    )
    names = np.array(["zero", "one", "two"])
    given = {
        "path": folder,
        "frame": frame,
        "arrays": (images, labels),
        "words": (images, names[labels]),
        "dataset": Pairs(images, labels),
    }
    expected = {
        "path": ("digit 0", "digit 1", "digit 2"),
        "frame": ("digit 0", "digit 1", "digit 2"),
        "arrays": ("0", "1", "2"),
    }
    with as_data(given[form]) as data:
        found = load_dataset(data, seed=0)
    assert found.class_names == expected.get(form, ("one", "two", "zero"))
    splits = (found.train, found.val, found.test)
    assert sum(map(len, splits)) == 180
    pixels = torch.cat([split.images(torch.arange(len(split))) for split in splits])
    assert sorted(pixels.float().mean(dim=(1, 2, 3)).tolist()) == pytest.approx(
        sorted(images.mean(axis=(1, 2)).tolist()), abs=1.0
    )


@pytest.mark.parametrize(
    "names", [("test", "control"), ("train", "val"), ("a/b", "a_b"), ("..", "x, y"), ("7", "10")]
)
def test_labels_in_memory_are_no_paths(
    names: tuple[str, str], digits: tuple[np.ndarray, np.ndarray]
) -> None:
    images, numbers = digits
    labels = np.array(names)[numbers % 2]
    with as_data((images, labels)) as data:
        found = load_dataset(data, seed=0)
    assert set(found.class_names) == set(names)
    splits = (found.train, found.val, found.test)
    assert all(len(split) > 0 for split in splits)
    counted = np.bincount(torch.cat([split.labels for split in splits]).numpy())
    assert counted.tolist() == [int((labels == name).sum()) for name in found.class_names]


def test_a_frame_may_have_numbered_columns(folder: Path) -> None:
    rows = [(path.parent.name, str(path)) for path in sorted(folder.rglob("*.png"))]
    with as_data(pd.DataFrame(rows)) as data:
        found = load_dataset(data, seed=0)
    assert found.class_names == ("digit 0", "digit 1", "digit 2")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (7, "got int"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "columns a, b"),
        ((np.zeros((3, 4, 4)), np.zeros(2, int)), r"\(3, 4, 4\) and \(2,\)"),
        ([], "got none"),
    ],
)
def test_other_data_are_refused_in_one_line(data: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said), as_data(data):
        pass


@pytest.mark.slow
def test_an_estimator_is_one_of_scikit_learn(
    digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    images, labels = digits
    names = np.array(["zero", "one", "two"])[labels]
    made = clone(nasoa.ImageClassifier(time_limit=LIMIT, store=tmp_path))
    made.fit(images, names)
    assert made.classes_.tolist() == ["one", "two", "zero"]
    assert made.predict_proba(images).shape == (180, 3)
    assert made.score(images, names) > 0.8
    # Levels in [0, 1] are the same images, as in `fit`.
    assert (made.predict(images / 255) == made.predict(images)).all()
    with pytest.raises(InvalidInput, match="divide them by 255"):
        made.predict(images.astype(float))


def test_the_interface_is_imported_only_when_it_is_used() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tune'"):
        _ = nasoa.tune  # type: ignore[attr-defined]
    assert {"finetune", "load", "recommend"} <= set(dir(nasoa))
