"""Failed runs without a record are recorded afterwards, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nasoa.steps.record_failure import failed_runs, record_failure
from tests.pipelines.conftest import Run
from tests.pipelines.http_server import Fault, answer
from tests.pipelines.kfp_server import KfpServer

DATA = "s3://bucket/photos"


@pytest.fixture
def store(tmp_path: Path) -> str:
    folder = tmp_path / "store"
    folder.mkdir()
    return str(folder)


def start(run: Run, host: str, store: str) -> str:
    """Start a run of finetune_task, and return its id."""
    result = run(
        "pipeline", "run", "finetune-task", "--host", host, "--json",
        "-p", f"store={store}", "-p", f"data={DATA}",
    )  # fmt: skip
    assert result.code == 0, result.err
    return str(json.loads(result.out)["run_id"])


def test_what_ended_badly_is_recorded_once(run: Run, host: str, kfp: KfpServer, store: str) -> None:
    ends = {
        "FAILED": "out of memory", "CANCELED": "cancelled", "SUCCEEDED": "retried", "RUNNING": "",
    }  # fmt: skip
    ids = {state: start(run, host, store) for state in ends}
    for state, dump in ends.items():
        kfp.advance(ids[state], state, dump)
    other = start(run, host, "/somewhere/else")
    kfp.advance(other, "FAILED")
    known = start(run, host, store)
    kfp.advance(known, "FAILED")
    record_failure(store, known, "finetune-task", DATA, "FAILED", "by its last step")

    command = ("pipeline", "reconcile", "--host", host, "--store", store, "--json")
    found = json.loads(run(*command).out)["recorded"]
    assert {end["run_id"] for end in found} == {ids["FAILED"], ids["CANCELED"]}
    records = {failed.run_id: failed for failed in failed_runs(store)}
    assert set(records) == {ids["FAILED"], ids["CANCELED"], known}
    failed, cancelled = records[ids["FAILED"]], records[ids["CANCELED"]]
    assert failed.message == "step 'finetune': main: OOMKilled (exit code 137)"
    assert (failed.pipeline, failed.subject, failed.state) == ("finetune-task", DATA, "FAILED")
    assert cancelled.state == "CANCELED"
    assert records[known].message == "by its last step"
    assert json.loads(run(*command).out) == {"recorded": [], "paused": []}


def test_runs_of_others_are_left_alone(run: Run, host: str, kfp: KfpServer, store: str) -> None:
    run_id = start(run, host, store)
    kfp.advance(run_id, "FAILED")
    kfp.runs[run_id]["run_details"] = {"task_details": []}
    assert run("pipeline", "reconcile", "--host", host, "--store", store).code == 0
    assert failed_runs(store) == []


def test_mistakes_and_refusals_are_one_line(
    run: Run, host: str, kfp: KfpServer, store: str
) -> None:
    given = ("pipeline", "reconcile", "--host", host, "--store", store)
    result = run(*given, "--limit", "0")
    assert (result.code, result.err.count("\n")) == (2, 1)
    kfp.faults = [Fault(".", answer(403, {"code": 7, "message": "no"}))]
    result = run(*given)
    assert (result.code, result.err.count("\n")) == (2, 1)
