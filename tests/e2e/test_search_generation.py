"""The pipeline `search_generation` in containers, with a store on S3 and a tiny space."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from nasoa.store import open_store
from tests.e2e.test_finetune_task import exit_codes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600, func_only=True)]
STORE = "s3://nasoa/e2e-search"
SETTINGS = {
    "num_children": 2,
    "max_evaluations": 2,
    "ranges": {"stages": [[1], [2], [1], [1]], "first_channels": [8], "max_operators": 1},
    "evaluate": {
        "epochs": 1,
        "stop_share": 1.0,
        "batch_size": 32,
        "resolution": 32,
        "num_classes": 0,
        "val_fraction": 0.4,
        "step_batch_size": 8,
        "repeats": 2,
    },
}


def test_a_generation_is_evaluated_in_containers(
    run_pipeline: Callable[..., dict[str, Any]], image: str
) -> None:
    started = time.time()
    result = run_pipeline(
        "search_generation",
        STORE,
        data="sklearn:digits:classes=0,1,2:per_class=50",
        search="tiny",
        settings=json.dumps(SETTINGS),
    )
    # Select, build, two trainings, show, and the one that looks whether they failed.
    assert exit_codes(image, since=started) == ["0"] * 6
    assert (result["generation"], result["evaluated"], result["evaluated_now"]) == (1, 2, 2)
    store = open_store(STORE)
    found = [json.loads(store.get(key)) for key in store.list("search/tiny/evaluations/")]
    assert len(found) == 2
    assert all(evaluation["accuracy"] > 0 and not evaluation["failure"] for evaluation in found)
    left = store.list("search/tiny/")
    assert not [key for key in left if "/claims/" in key or "/checkpoints/" in key]
