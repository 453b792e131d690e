"""The pipeline meta_train, run through kfp.local."""

from __future__ import annotations

import json

import pytest

from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.pipelines import local
from nasoa.records import FITTED, HEAD_ONLY
from nasoa.steps.tabulate_experience import collected
from tests.pipelines.conftest import Watched


@pytest.mark.slow
def test_shares_collect_and_a_second_run_adds_nothing(watched: Watched) -> None:
    parameters = {
        "data": json.dumps(["sklearn:digits:classes=0,1,2:per_class=40"]),
        "store": watched.store,
        "runs": "2",
        "time_limit": "2m",
        "run_limit": "20s",
        "iterations": "[2, 40]",
    }
    first = local.run("meta_train", parameters, verbose=False)
    assert (first["runs"], first["runs_made"]) == (2, 2)
    records = collected(watched.store, "known")
    assert first["records"] == len(records) >= 2
    assert max(record.iterations for record in records) <= 40
    assert local.run("meta_train", parameters, verbose=False) == {**first, "runs_made": 0}


@pytest.mark.slow
def test_runs_as_tasks_come_within_limits(watched: Watched) -> None:
    parameters = {
        "data": json.dumps(["sklearn:digits:classes=0,1,2:per_class=40"]),
        "shards": '["0/1"]',
        "store": watched.store,
        "runs": "1",
        "run_limit": "30s",
        "limits": '["2s", "2.4s"]',
    }
    made = local.run("meta_train", parameters, verbose=False)
    assert (made["runs_made"], made["records"]) == (1, 1)
    (record,) = collected(watched.store, "known")
    space = RegimeSpace.small()
    assert record.frozen_stages in space.frozen_stages
    if record.frozen_stages == HEAD_ONLY:
        assert (record.lr, record.lr_schedule) == (1.0, FITTED)
    else:
        assert record.lr in space.lrs
        assert record.lr_schedule in space.schedules
