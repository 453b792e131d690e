"""Exported models are compared with the saved ones on real images where there are some."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from nasoa.cli import main
from nasoa.data import fingerprint
from nasoa.errors import NasoaError
from nasoa.online.tuning.saved_model import to_files
from nasoa.records import Task, to_json
from nasoa.steps import check_images
from nasoa.steps.compute_meta_features import read_data
from nasoa.steps.export_model import Exported, export_model
from nasoa.store import keys, open_store
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network
from tests.random_model import random_model
from tests.store.finished import experience

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
CLASSES = ("china", "flower")
SEED = 3


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pieces of scikit-learn's two photographs, as the tutorial cuts them out."""
    rng = np.random.default_rng(0)
    for name, photograph in zip(CLASSES, load_sample_images().images, strict=True):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(20):
            top, left = rng.integers(0, np.array(photograph.shape[:2]) - 64)
            piece = photograph[top : top + 64, left : left + 64]
            Image.fromarray(piece).save(folder / f"{number:02d}.png")
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path: Path, photos: Path) -> str:
    """A store with the task of the model."""
    data = read_data(str(photos), SEED)
    task: Task = replace(
        experience("t", 0.5).task,
        data=str(photos),
        dataset="photos",
        seed=SEED,
        class_names=CLASSES,
        num_train=len(data.train),
        num_val=len(data.val),
        num_test=len(data.test),
        fingerprint=fingerprint(str(photos)),
    )
    opened = open_store(str(tmp_path / "store"))
    opened.put(keys.task("t"), to_json(task))
    return opened.uri


@pytest.fixture
def model_dir(tmp_path: Path) -> str:
    return saved(tmp_path / "model", random_model(CLASSES, resolution=32)[0])


def saved(folder: Path, files: dict[str, bytes]) -> str:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


def exported(model_dir: str, tmp_path: Path, store: str, images: Sequence[str] = ()) -> Exported:
    return export_model(model_dir, "torchscript", str(tmp_path / "m.pt"), images, store)


def test_the_test_images_of_its_data_are_used(model_dir: str, store: str, tmp_path: Path) -> None:
    done = exported(model_dir, tmp_path, store)
    assert not done.is_synthetic
    assert done.synthetic_because == ""
    assert done.checked_on == "test images of d"  # the name in the card
    assert done.checked == 6  # 15 % of 40
    assert done.largest_difference < 1e-4


def test_a_model_in_a_store_belongs_to_a_task_of_that_store(store: str, tmp_path: Path) -> None:
    files, _card = random_model(CLASSES, resolution=32)
    inside = saved(Path(store) / keys.model("t"), files)
    assert not exported(inside, tmp_path, str(tmp_path / "other")).is_synthetic
    assert not exported(f"{inside}/", tmp_path, str(tmp_path / "other")).is_synthetic


def test_without_its_data_images_are_made_up_and_the_reason_is_given(
    model_dir: str, store: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason(of: str = store) -> str:
        done = exported(model_dir, tmp_path, of)
        assert done.is_synthetic
        assert (done.checked, done.checked_on) == (check_images.NUM_SYNTHETIC, "made-up images")
        return done.synthetic_because

    assert "does not have its task t" in reason(str(tmp_path / "none"))
    with monkeypatch.context() as patch:
        patch.setattr(check_images, "READING_S", -1.0)
        assert "cannot be read within" in reason()
    (photos / "china" / "00.png").unlink()
    assert "photos has changed since" in reason()
    photos.rename(tmp_path / "elsewhere")
    assert "no file or folder" in reason()


def test_the_command_says_on_what_it_was_checked(
    model_dir: str,
    store: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = str(tmp_path / "m.pt")
    command = ["export", model_dir, "--format", "torchscript", "-o", out]
    assert main([*command, "--store", store]) == 0
    told = capsys.readouterr().out
    assert "On 6 test images of d its probabilities differ by at most" in told
    assert "made up" not in told
    assert main([*command, "--store", str(tmp_path / "none")]) == 0
    told = capsys.readouterr().out
    assert "On 8 made-up images its probabilities" in told
    assert "They are made up because the store " in told
    assert main([*command, "--store", store, "--check", str(photos), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["checked"], document["checked_on"]) == (40, "images")
    assert document["is_synthetic"] is False


def test_images_that_cannot_be_read_are_no_check(
    model_dir: str, store: str, tmp_path: Path
) -> None:
    with pytest.raises(NasoaError, match="none of those given can be read"):
        exported(model_dir, tmp_path, store, [str(tmp_path / "absent.jpg")])


def pretrained(folder: Path, name: str) -> str:
    """Save a packaged model as a fine-tune would."""
    zoo = packaged_zoo()
    entry = zoo.entry(name)
    names = tuple(f"class {number}" for number in range(entry.num_classes))
    _files, card = random_model(("a", "b"), mirror_safe=True)
    card = replace(
        card,
        entry=entry,
        class_names=names,
        regime=replace(card.regime, model=name, resolution=entry.resolution),
    )
    return saved(folder, to_files(load_network(entry, zoo.weights(name)), card))


def photographs(tmp_path: Path) -> list[str]:
    """Write scikit-learn's two photographs, which are always there, as files."""
    paths = []
    for name, photograph in zip(CLASSES, load_sample_images().images, strict=True):
        paths.append(str(tmp_path / f"{name}.jpg"))
        Image.fromarray(photograph).save(paths[-1], quality=95)
    return paths


def test_a_pretrained_model_answers_alike_on_photographs(tmp_path: Path) -> None:
    model = pretrained(tmp_path / "model", "ET-NAS-A")
    done = exported(model, tmp_path, str(tmp_path / "none"), photographs(tmp_path))
    assert done.checked == 2
    assert done.largest_difference < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("form", ["torchscript", "onnx"])
@pytest.mark.parametrize("name", ["efficientnet-lite0", "mobilenet_v3_small"])
def test_pretrained_models_answer_alike_on_many_photographs(
    tmp_path: Path, shared: Path, form: str, name: str
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript")
    archive = shared / "data" / "flowers5_224.zip"
    if not archive.is_file():
        pytest.skip(f"there are no photographs at {archive}")
    with zipfile.ZipFile(archive) as file:
        found = [n for n in file.namelist() if n.lower().endswith((".jpg", ".png"))]
        paths = [file.extract(n, tmp_path) for n in found[:: max(1, len(found) // 30)][:30]]
    model = pretrained(tmp_path / "model", name)
    done = export_model(model, form, str(tmp_path / "exported"), paths, str(tmp_path / "none"))
    assert done.checked == 30
    assert done.largest_difference < 1e-3
