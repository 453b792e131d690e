"""Failed runs without a record are recorded afterwards, once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nasoa.steps.record_failure import failed_runs, record_failure
from tests.pipelines.argo_dumps import NO_ACCOUNT
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
    ends = {  # KFP 2.17 reports FAILED for a cancelled run, too
        "out of memory": "FAILED", "cancelled": "FAILED", "retried": "SUCCEEDED", "": "RUNNING",
    }  # fmt: skip
    ids = {dump: start(run, host, store) for dump in ends}
    for dump, state in ends.items():
        kfp.advance(ids[dump], state, dump)
    other = start(run, host, "/somewhere/else")
    kfp.advance(other, "FAILED")
    known = start(run, host, store)
    kfp.advance(known, "FAILED")
    record_failure(store, known, "finetune-task", DATA, "FAILED", "by its last step")

    found = reconciled(run, host, store)
    assert found["explained"] == []
    assert {end["run_id"] for end in found["recorded"]} == {ids["out of memory"], ids["cancelled"]}
    records = {failed.run_id: failed for failed in failed_runs(store)}
    assert set(records) == {ids["out of memory"], ids["cancelled"], known}
    failed, cancelled = records[ids["out of memory"]], records[ids["cancelled"]]
    assert failed.message == "step 'finetune': main: OOMKilled (exit code 137)"
    assert (failed.pipeline, failed.subject, failed.state) == ("finetune-task", DATA, "FAILED")
    assert cancelled.state == "CANCELED"
    assert records[known].message == "by its last step"
    assert reconciled(run, host, store) == {"recorded": [], "explained": [], "paused": []}


def reconciled(run: Run, host: str, store: str) -> Any:
    result = run("pipeline", "reconcile", "--host", host, "--store", store, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.parametrize(
    ("dump", "told", "state", "reason"),
    [
        ("run's deadline", "RUNNING", "FAILED",
         "step 'finetune': stopped at the deadline of the run, 300 s after its start"),
        ("run's deadline, by the kubelet", "RUNNING", "FAILED",
         "step 'finetune': stopped at the deadline of the run, 300 s after its start"),
        ("step's deadline", "RUNNING", "FAILED",
         "step 'finetune': Pod was active on the node longer than the specified deadline"),
        ("out of memory", "RUNNING", "FAILED",
         "step 'finetune': main: OOMKilled (exit code 137)"),
        ("failed", "FAILED", "FAILED", "step 'finetune': main: Error (exit code 1)"),
        ("cancelled", "RUNNING", "CANCELED", "step 'finetune': the run was cancelled"),
        ("cancelled", "FAILED", "CANCELED", "step 'finetune': the run was cancelled"),
    ],
)  # fmt: skip
def test_a_record_without_a_reason_gets_it_once(
    run: Run, host: str, kfp: KfpServer, store: str, dump: str, told: str, state: str, reason: str
) -> None:
    """On a cluster, the last step is told RUNNING or FAILED, and no message."""
    run_id = start(run, host, store)
    kfp.advance(run_id, "FAILED", dump)
    record_failure(store, run_id, "finetune-task", DATA, told, "")
    (before,) = failed_runs(store)
    found = reconciled(run, host, store)
    assert found["recorded"] == []
    assert [(end["run_id"], end["message"]) for end in found["explained"]] == [(run_id, reason)]
    (after,) = failed_runs(store)
    assert after == replace(before, state=state, message=reason)
    first = len(kfp.requests)
    assert reconciled(run, host, store)["explained"] == []
    assert not any(run_id in request.path for request in kfp.requests[first:])
    text = run("pipeline", "reconcile", "--host", host, "--store", store).out
    assert run_id not in text


def test_a_reason_is_printed(run: Run, host: str, kfp: KfpServer, store: str) -> None:
    run_id = start(run, host, store)
    kfp.advance(run_id, "FAILED", "run's deadline")
    record_failure(store, run_id, "finetune-task", DATA, "RUNNING", "")
    text = run("pipeline", "reconcile", "--host", host, "--store", store).out
    assert "stopped at the deadline of the run, 300 s after its start" in text


def test_a_record_stays_as_it_is_if_kfp_has_no_reason_either(
    run: Run, host: str, kfp: KfpServer, store: str
) -> None:
    run_id = start(run, host, store)
    kfp.advance(run_id, "FAILED", "out of memory")
    record_failure(store, run_id, "finetune-task", DATA, "RUNNING", "")
    before = failed_runs(store)
    kfp.workflows[run_id] = ""
    assert reconciled(run, host, store)["explained"] == []
    assert failed_runs(store) == before
    kfp.advance(run_id, "FAILED", "out of memory")
    assert [end["run_id"] for end in reconciled(run, host, store)["explained"]] == [run_id]


@pytest.mark.parametrize("by_version", [False, True])
def test_a_run_whose_first_driver_failed_is_recorded(
    run: Run, host: str, kfp: KfpServer, store: str, by_version: bool
) -> None:
    """A run without steps is identified by its own pipeline, or by that of its version."""
    run_id = start(run, host, store)
    kfp.advance(run_id, "FAILED", "first driver")
    if by_version:
        refer_to_a_version(run, host, kfp, run_id)
    assert run("pipeline", "reconcile", "--host", host, "--store", store).code == 0
    (failed,) = failed_runs(store)
    assert (failed.run_id, failed.pipeline, failed.subject) == (run_id, "finetune-task", DATA)
    assert failed.message == f"step 'root (its driver)': {NO_ACCOUNT}"


def refer_to_a_version(run: Run, host: str, kfp: KfpServer, run_id: str) -> None:
    """Make a run name a version, like those of a schedule or of the user interface."""
    assert run("pipeline", "upload", "finetune-task", "--host", host).code == 0
    version = next(iter(kfp.versions.values()))
    made = kfp.runs[run_id]
    del made["pipeline_spec"]
    made["pipeline_version_reference"] = {
        key: version[key] for key in ("pipeline_id", "pipeline_version_id")
    }


def test_runs_of_others_are_left_alone(run: Run, host: str, kfp: KfpServer, store: str) -> None:
    """One has our pipeline's name, one names a deleted version, one has no pipeline."""
    first, second, third = (start(run, host, store) for _ in range(3))
    for run_id in (first, second, third):
        kfp.advance(run_id, "FAILED", "first driver")
    document = kfp.runs[first]["pipeline_spec"]
    tasks = document.get("pipeline_spec", document)["root"]["dag"]["tasks"]
    tasks["train"] = tasks.pop("finetune-task-steps")
    refer_to_a_version(run, host, kfp, second)
    kfp.versions.clear()
    del kfp.runs[third]["pipeline_spec"]
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
