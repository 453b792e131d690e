"""A retried step continues where its first attempt was when the node was lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nasoa.config import TrainingConfig
from nasoa.records import to_json
from nasoa.steps import kfp_steps
from nasoa.steps.checkpoints import read_checkpoint
from nasoa.store import experience_log, open_store
from nasoa.training.run import Progress
from tests import steps_alone

DIGITS = "sklearn:digits:classes=0,1,2:per_class=20"


class NodeIsGone(BaseException):
    """An exception that nothing catches."""


@dataclass
class Output:
    path: str
    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.mark.slow
def test_a_fine_tune_goes_on_and_its_limit_counts_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = partial(TrainingConfig, checkpoint_every_s=0.01)
    monkeypatch.setattr("nasoa.online.tuning.finetune.TrainingConfig", often)
    uri = str(tmp_path / "store")
    store = open_store(uri)
    task = steps_alone.compute_meta_features(DIGITS, "3s", uri, clock="steps")
    found = steps_alone.predict_regime(task, uri)
    # The regime that would be chosen trains only the head, which has no checkpoints.
    trained = replace(
        found.candidates[0].regime,
        model="ET-NAS-A",
        frozen_stages=-1,
        lr=0.02,
        lr_schedule="cosine",
        batch_size=16,
        resolution=32,
        cached_features=False,
        fills_limit=True,
        bn="trained",
    )
    chosen = replace(found, candidates=(replace(found.candidates[0], regime=trained),))

    def lose_node(progress: Progress) -> None:
        # Checkpoints are written concurrently with training, as often as time allows.
        if progress.iteration > 20 and store.list(f"checkpoint/{task.task_id}/"):
            raise NodeIsGone

    with pytest.raises(NodeIsGone):
        steps_alone.finetune(task, chosen, uri, progress=lose_node)
    key = store.list("checkpoint/")[-1]
    state = read_checkpoint(store, key)
    assert state is not None
    assert state.elapsed_s > chosen.used_s

    model, metrics = Output(str(tmp_path / "model")), Output(str(tmp_path / "metrics"))

    def attempt() -> str:
        return kfp_steps.finetune(
            to_json(task).decode(), to_json(chosen).decode(), uri, model, metrics,
            str(tmp_path / "report.html"),
        )  # fmt: skip

    assert attempt() == task.task_id
    experience = experience_log.read(store, task.task_id)
    iterations = [point.iteration for point in experience.curve]
    assert iterations == sorted(set(iterations))
    begun = [point.iteration for point in state.curve]
    assert begun == iterations[: len(begun)]
    assert experience.regime.iterations > state.iteration
    later = [p.elapsed_s for p in experience.curve if p.iteration > state.iteration]
    assert min(later) > state.elapsed_s
    assert experience.elapsed_s <= task.time_limit_s
    assert store.list("checkpoint/") == []

    # If the step fails after its work was done, nothing is trained again.
    model_key = f"model/{task.task_id}/model.safetensors"
    before = store.stat(model_key)
    assert attempt() == task.task_id
    assert (store.stat(model_key), metrics.metadata["accuracy"]) == (before, experience.accuracy)
