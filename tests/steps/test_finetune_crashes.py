"""A fine-tune that is killed at each of its writes and deletes, and called again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nasoa.errors import StoreFailed
from nasoa.records import Experience, Recommendation, Task
from nasoa.steps import classifying
from nasoa.steps import finetune as tuning
from nasoa.store import ArtifactStore, experience_log, keys, open_store
from nasoa.zoo.entries import REFERENCE_MODEL
from tests import steps_alone
from tests.store.test_crash_points import Ending, Killed

DIGITS = "sklearn:digits:classes=0,1:per_class=30"
LIMIT = "1s"


@pytest.fixture(scope="module")
def begun() -> tuple[Task, Recommendation]:
    """A task on the step clock, so that each attempt trains the same."""
    models = [REFERENCE_MODEL]
    task = steps_alone.compute_meta_features(DIGITS, LIMIT, "nowhere", clock="steps", models=models)
    return task, steps_alone.predict_regime(task, "nowhere", models=models)


def finetune(begun: tuple[Task, Recommendation], store: ArtifactStore) -> Experience:
    session = steps_alone.session_of(begun[0], store.uri)
    session.store = store
    return tuning.finetune(session, *begun)


def holds(store: ArtifactStore) -> None:
    """Check that a task with an experience has its model."""
    for found in experience_log.read_all(store):
        assert list(classifying.predict(found.model_dir, [])) == []


def ends_at(
    begun: tuple[Task, Recommendation], folder: Path, number: int, ending: str
) -> tuple[bool, Experience]:
    """Interrupt a fine-tune at its n-th change, and call it again.

    Returns:
        Whether it was interrupted, and the experience.
    """
    shutil.rmtree(folder, ignore_errors=True)
    store = open_store(str(folder))
    cut = Ending(store, number, ending)
    try:
        finetune(begun, cut)  # type: ignore[arg-type]
    except Killed:
        # A new process would see that the holder is dead; here it is alive.
        for key in store.list(keys.task_claims(begun[0].task_id)):
            store.delete(key)
    except StoreFailed:
        assert cut.hit
    holds(store)
    experience = finetune(begun, store)
    holds(store)
    assert experience_log.read_all(store) == [experience]
    assert store.list("checkpoint/") == []
    assert store.list(keys.task_claims(begun[0].task_id)) == []
    return cut.hit, experience


@pytest.mark.slow
def test_a_fine_tune_may_end_at_any_change(
    begun: tuple[Task, Recommendation], tmp_path: Path
) -> None:
    whole = finetune(begun, open_store(str(tmp_path / "whole")))
    number, hit = -1, True
    while hit:
        number += 1
        endings = ("killed after", "failed before", "killed before", "failed after")
        hit, experience = ends_at(begun, tmp_path / "cut", number, endings[number % 4])
        assert experience.accuracy == whole.accuracy
        assert experience.regime == whole.regime
    assert number >= 7


@pytest.mark.parametrize("name", ["task.json", "model.json", "model.safetensors"])
def test_a_fine_tune_that_ends_after_a_file_is_done_once_more(
    begun: tuple[Task, Recommendation], tmp_path: Path, name: str
) -> None:
    class EndsAt(Ending):
        def put(self, key: str, data: bytes) -> None:
            self._left = 0 if key.endswith(name) else 99
            super().put(key, data)

        def put_if_absent(self, key: str, data: bytes) -> bool:
            self._left = 0 if key.endswith(name) else 99
            return super().put_if_absent(key, data)

    store = open_store(str(tmp_path))
    cut = EndsAt(store, 99, "killed after")
    with pytest.raises(Killed):
        finetune(begun, cut)  # type: ignore[arg-type]
    assert [key for key in store.list() if key.endswith(name)]
    assert experience_log.read_all(store) == []
    experience = finetune(begun, store)
    holds(store)
    assert experience_log.read_all(store) == [experience]
