"""The pipeline `finetune_task` in containers, with a store on S3."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from nasoa.store import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900, func_only=True)]
STORE = "s3://nasoa/e2e"
# Small: it is there to be learned from after the first.
SECOND_TASK = "sklearn:digits:classes=0,1,2:per_class=40"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "pacs_photo.zip"


@pytest.fixture
def data() -> str:
    """A small data set of photographs, or of digits where that is missing."""
    return str(SHARED) if SHARED.exists() else "sklearn:digits"


def test_a_task_is_fine_tuned_in_containers(
    run_pipeline: Callable[..., dict[str, Any]], image: str, data: str
) -> None:
    started = time.time()
    results = [
        run_pipeline("finetune_task", STORE, data=task, time_limit=limit, clock="steps")
        for task, limit in ((data, "4s"), (SECOND_TASK, "2s"))
    ]
    # Of two tasks, four steps each and the one that looks whether they failed.
    assert exit_codes(image, since=started) == ["0"] * 10
    store = open_store(STORE)
    for version, result in enumerate(results, start=1):  # the package brings the first
        assert result["accuracy"] > 0.6
        assert result["predictor_version_before"] == version
        assert result["predictor_version_after"] == version + 1
        check_record(result)
        folder = result["model_dir"].removeprefix(f"{STORE}/")
        names = ("README.md", "model.json", "model.safetensors")
        assert store.list(folder) == [f"{folder}/{name}" for name in names]
    assert len(store.list("experience/")) == 2
    assert len([k for k in store.list("predictor/") if k.endswith(".safetensors")]) == 3
    assert store.list("checkpoint/") == []


def check_record(result: dict[str, Any]) -> None:
    """What the store recorded is what the pipeline gave."""
    recorded = json.loads(open_store(STORE).get(f"experience/{result['task_id']}.json"))
    for key in ("regime", "predicted_accuracy", "accuracy", "val_accuracy", "model_dir"):
        assert recorded[key] == result[key], key
    assert recorded["model"]["name"] == result["model"]
    images = sum(sum(row) for row in recorded["confusion"])
    right = sum(row[i] for i, row in enumerate(recorded["confusion"]))
    assert right / images == pytest.approx(result["accuracy"])


def exit_codes(image: str, since: float) -> list[str]:
    """Those of all containers of an image that ended since a time in seconds."""
    client = docker.from_env()
    try:
        ended = client.events(
            since=int(since),
            until=int(time.time()) + 1,
            decode=True,
            filters={"type": "container", "event": "die", "image": image},
        )
        # The engine counts whole seconds, in which a container of another test may have ended.
        return [
            event["Actor"]["Attributes"]["exitCode"]
            for event in ended
            if event["timeNano"] >= since * 1e9
        ]
    finally:
        client.close()
