"""A store that an earlier release wrote: nothing in it is lost.

`earlier_store` was written by version 0.1.0 before the predictor had two experts: two fine-tunes,
then a rebuild that left the first one out. Weights are removed, and of the saved predictor all
but a few arrays.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nasoa.cli.main import main
from nasoa.online.collecting.starter import collected_runs
from nasoa.steps import learning, predictor_history
from nasoa.store import ArtifactStore, open_store
from tests.steps_alone import current_predictor

EARLIER = Path(__file__).parent / "earlier_store"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(shutil.copytree(EARLIER, tmp_path / "store")))


def test_experiences_are_read_and_learned_but_for_what_was_left_out(store: ArtifactStore) -> None:
    first, second = predictor_history.experiences(store)
    assert first.task.method == second.task.method == "default"
    predictor, version = current_predictor(store)
    assert (predictor.num_collected, version) == (len(collected_runs()), 1)
    update = learning.update(store)
    assert update.learned == (second.task.task_id,)
    predictor, version = current_predictor(store)
    assert (predictor.num_experiences, version) == (1, update.version_after)
    (*_, newest) = predictor_history.predictor_versions(store)
    assert newest.left_out == (first.task.task_id,)
    assert learning.update(store, relearn=True).learned == (first.task.task_id,)


def test_it_is_shown_with_what_it_had(
    store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predictor_history.other_predictors(store) == ["mixture-nasoa-features-3"]
    assert main(["predictor", "show", "--store", store.uri]) == 0
    assert "mixture-nasoa-features-3 has another feature layout" in capsys.readouterr().out
