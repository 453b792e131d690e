"""A task resumes with its data, models and runner, or reports what has changed."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from nasoa.errors import InvalidInput
from nasoa.records import Recommendation, Task, to_sealed_json
from nasoa.steps import zoo
from nasoa.steps.compute_meta_features import read_unchanged
from nasoa.store import ArtifactStore, experience_log, keys, open_store
from nasoa.store.claims import only_holder
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from tests import steps_alone
from tests.store.test_damage import STRANGERS, flipped

LIMIT = "1m"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes that differ in blue."""
    folder = tmp_path / "data"
    for i in range(40):
        path = folder / ("cat", "dog")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (4 * i, 0, 255 * (i % 2))).save(path, compress_level=0)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def begun(data: Path, store: ArtifactStore) -> tuple[Task, Recommendation]:
    """A task that was interrupted as soon as it was written."""
    return begin(data, store, LIMIT)


def begin(data: Path, store: ArtifactStore, limit: str) -> tuple[Task, Recommendation]:
    models = [REFERENCE_MODEL]
    task = steps_alone.compute_meta_features(
        str(data), limit, store.uri, clock="steps", models=models
    )
    recommendation = steps_alone.predict_regime(task, store.uri, models=models)
    store.put(keys.task(task.task_id), to_sealed_json(task))
    store.put(keys.recommendation(task.task_id), to_sealed_json(recommendation))
    return task, recommendation


def exchange_contents(data: Path) -> None:
    """Exchange the contents of files; names and sizes stay the same."""
    (data / "cat").rename(data / "other")
    (data / "dog").rename(data / "cat")
    (data / "other").rename(data / "dog")
    for folder, offset in (("cat", 1), ("dog", -1)):
        for path in sorted((data / folder).iterdir(), reverse=folder == "dog"):
            path.rename(path.with_name(f"x{int(path.stem) - offset:02d}.png"))
        for path in list((data / folder).iterdir()):
            path.rename(path.with_name(path.name[1:]))


def add_class(data: Path) -> None:
    shutil.copytree(data / "cat", data / "lion")


def remove_class(data: Path) -> None:
    add_class(data)
    shutil.rmtree(data / "dog")


def add_images(data: Path) -> None:
    for number in range(5):
        shutil.copy(data / "cat" / "00.png", data / "cat" / f"more-{number}.png")


CHANGES = {
    exchange_contents: "started, but files were added",
    add_class: "there are new classes 'lion': files",
    remove_class: "there are new classes 'lion' and no classes 'dog' any more",
    add_images: "there are 45 images instead of 40",
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_data_are_refused_and_what_differs_is_named(
    data: Path, store: ArtifactStore, begun: tuple[Task, Recommendation], change: object
) -> None:
    sizes = {path.relative_to(data): path.stat().st_size for path in data.rglob("*.png")}
    change(data)  # type: ignore[operator]
    if change is exchange_contents:
        assert sizes == {p.relative_to(data): p.stat().st_size for p in data.rglob("*.png")}
    message = CHANGES[change]  # type: ignore[index]
    with pytest.raises(InvalidInput, match=message):
        steps_alone.run_task(str(data), LIMIT, store.uri, clock="steps", resume=True)
    with pytest.raises(InvalidInput, match=message):
        steps_alone.finetune(*begun, store.uri)
    assert store.list("experience/") == store.list("model/") == store.list("checkpoint/") == []


def test_classes_in_another_order_are_refused(begun: tuple[Task, Recommendation]) -> None:
    """For example, because the program that lists a table's classes has changed."""
    from dataclasses import replace

    task = replace(begun[0], class_names=("dog", "cat"))
    with pytest.raises(InvalidInput, match="the same classes in another order"):
        read_unchanged(task)
    assert read_unchanged(begun[0]).class_names == ("cat", "dog")


def test_the_second_runner_of_a_task_finds_the_first(
    data: Path, store: ArtifactStore, begun: tuple[Task, Recommendation]
) -> None:
    task, _ = begun
    before = store.list()
    with (
        only_holder(store, keys.task_claims(task.task_id), "it"),
        pytest.raises(InvalidInput, match=rf"task {task.task_id} is .* process {os.getpid()} on"),
    ):
        steps_alone.run_task(str(data), LIMIT, store.uri, clock="steps", resume=True)
    assert store.list() == before


def test_a_damaged_task_is_named_and_strangers_are_passed_over(
    data: Path,
    store: ArtifactStore,
    begun: tuple[Task, Recommendation],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in STRANGERS:
        store.put(f"task/{name}", b"\0")
    for name in (".hidden", "a copy"):
        store.put(f"task/{name}/task.json", b"\0")
    key = keys.task(begun[0].task_id)
    store.put(key, flipped(store.get(key), 999))
    with caplog.at_level(logging.WARNING), pytest.raises(InvalidInput, match="there is none"):
        steps_alone.run_task(str(data), LIMIT, store.uri, clock="steps", resume=True)
    assert len([message for message in caplog.messages if key in message]) == 1


def test_a_model_whose_weights_are_damaged_is_named_and_another_is_chosen(
    data: Path, store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The store has its own model of the chosen name, and one of its bits flips."""
    from nasoa.store.zoo_versions import add_version

    task, recommendation = begin(data, store, "1s")
    package = packaged_zoo()
    entry, weights = package.entry(REFERENCE_MODEL), package.weights(REFERENCE_MODEL)
    add_version(store, "added", {entry.name: (entry, weights)})
    digest = zoo.load_zoo(store).entry(entry.name).weights_sha256
    store.put(keys.weights(digest), flipped(weights, 4_000_001))
    assert recommendation.candidates[0].regime.model == REFERENCE_MODEL
    with caplog.at_level(logging.WARNING):
        experience = steps_alone.finetune(task, recommendation, store.uri)
    assert experience.model.name != REFERENCE_MODEL
    assert experience.accuracy > 0.9
    assert experience_log.read(store, task.task_id) == experience
    (line,) = [message for message in caplog.messages if "another model is chosen" in message]
    assert keys.weights(digest) in line
    assert store.list("checkpoint/") == []
