"""The cluster verbs against a server with KFP's API, when nothing fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipelines.conftest import Run
from tests.pipelines.http_server import Fault, answer
from tests.pipelines.kfp_server import KfpServer

STORE = ("--store", "s3://bucket/nasoa")
DATA = ("-p", "data=s3://bucket/photos")
NIGHTLY = ("--cron", "0 3 * * *")
FAILURE = answer(500, {"code": 13, "message": "database is locked"})


def document(run: Run, *arguments: str) -> Any:
    """Return the JSON that a successful command line prints."""
    result = run(*arguments, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def started(run: Run, host: str, *more: str) -> Any:
    return document(run, "pipeline", "run", "finetune-task", "--host", host, *STORE, *DATA, *more)


def schedule(run: Run, host: str, *more: str) -> Any:
    return document(run, "pipeline", "schedule", "finetune-task", "--host", host, *more)


def test_a_run_is_started_with_typed_parameters(run: Run, host: str, kfp: KfpServer) -> None:
    made = started(run, host, "-p", "seed=3")
    (there,) = kfp.runs.values()
    assert made["run_id"] == there["run_id"]
    assert made["url"] == f"{host}/#/runs/details/{there['run_id']}"
    assert there["runtime_config"]["parameters"] == {
        "data": "s3://bucket/photos",
        "store": "s3://bucket/nasoa",
        "seed": 3,
    }
    assert there["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "finetune-task"
    assert [e["display_name"] for e in kfp.experiments.values()] == ["nasoa"]


def test_two_runs_share_an_experiment(run: Run, host: str, kfp: KfpServer) -> None:
    assert started(run, host)["name"] != started(run, host)["name"]
    assert len(kfp.experiments) == 1


@pytest.mark.parametrize(
    ("last", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 1), ("SKIPPED", 1)]
)
def test_waiting_ends_however_the_run_ends(
    run: Run, host: str, kfp: KfpServer, last: str, code: int
) -> None:
    kfp.script = ["PENDING", "RUNNING", "RUNNING", last]
    arguments = ("pipeline", "run", "finetune_task", "--host", host, *STORE, *DATA, "--wait")
    result = run(*arguments, "--json")
    assert result.code == code
    assert json.loads(result.out)["state"] == last
    assert kfp.script == []
    error = [line for line in result.err.splitlines() if line.startswith("nasoa: ")]
    assert len(error) == code
    if last == "FAILED":
        assert "step 'finetune': main: OOMKilled (exit code 137)" in error[0]


def test_waiting_bears_an_outage_and_gives_up_at_its_limit(
    run: Run, host: str, kfp: KfpServer
) -> None:
    kfp.faults = [Fault("GET /apis/v2beta1/runs/", FAILURE, times=12)]
    kfp.script = ["RUNNING", "SUCCEEDED"]
    assert started(run, host, "--wait")["state"] == "SUCCEEDED"
    kfp.script = ["RUNNING"]
    result = run(
        "pipeline", "run", "finetune_task", "--host", host, *STORE, *DATA,
        "--wait", "--wait-limit", "10ms",
    )  # fmt: skip
    assert result.code == 1
    assert "has not ended within 0.01 s and continues" in result.err


@pytest.mark.parametrize(
    ("dump", "step", "message"),
    [
        ("out of memory", "finetune", "main: OOMKilled (exit code 137)"),
        ("driver", "finetune (its driver)", "main: Error (exit code 1): no such parameter"),
        ("retried in vain", "finetune", "main: OOMKilled (exit code 137)"),
    ],
)
def test_status_shows_steps_and_which_failed(
    run: Run, host: str, kfp: KfpServer, dump: str, step: str, message: str
) -> None:
    run_id = started(run, host)["run_id"]
    kfp.advance(run_id, "FAILED", dump)
    seen = document(run, "pipeline", "status", run_id, "--host", host)
    assert {"compute-meta-features", "finetune"} <= {shown["name"] for shown in seen["steps"]}
    assert not any("driver" in shown["name"] or "(" in shown["name"] for shown in seen["steps"])
    assert (seen["failed_step"], seen["error"]) == (step, message)
    assert seen["ended_at"].startswith("2026-")
    text = run("pipeline", "status", run_id, "--host", host).out
    assert f"error: step {step!r}: {message}" in text


def test_without_the_workflow_the_step_is_named_all_the_same(
    run: Run, host: str, kfp: KfpServer
) -> None:
    run_id = started(run, host)["run_id"]
    kfp.advance(run_id, "FAILED", "driver")
    kfp.faults = [Fault("GET /apis/v1beta1/runs", answer(404, {}))]
    seen = document(run, "pipeline", "status", run_id, "--host", host)
    assert seen["failed_step"] == "finetune (its driver)"
    kfp.advance(run_id, "SUCCEEDED", "retried")
    seen = document(run, "pipeline", "status", run_id, "--host", host)
    assert (seen["failed_step"], seen["error"]) == (None, None)


def test_runs_are_listed_newest_first_over_pages(
    run: Run, host: str, kfp: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nasoa.pipelines import client

    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    made = [started(run, host)["run_id"] for _ in range(5)]
    listing = ("pipeline", "list-runs", "--host", host)
    assert [r["run_id"] for r in document(run, *listing)] == made[::-1]
    assert [r["run_id"] for r in document(run, *listing, "--limit", "3")] == made[:1:-1]
    assert len(document(run, *listing, "--experiment", "nasoa")) == 5
    assert run(*listing, "--experiment", "other").code == 2
    assert made[0] in run(*listing).out


def test_a_run_is_cancelled_once(run: Run, host: str, kfp: KfpServer) -> None:
    run_id = started(run, host)["run_id"]
    cancel = ("pipeline", "cancel", run_id, "--host", host)
    assert document(run, *cancel)["state"] == "CANCELING"
    assert document(run, *cancel)["state"] == "CANCELING"
    kfp.advance(run_id, "SUCCEEDED")
    result = run(*cancel)
    assert result.code == 2
    assert "has ended (SUCCEEDED)" in result.err


def test_a_cancelled_run_is_told_from_a_failed_one(run: Run, host: str, kfp: KfpServer) -> None:
    """KFP 2.17 reports FAILED for both."""
    run_id = started(run, host)["run_id"]
    kfp.advance(run_id, "FAILED", "cancelled")
    seen = document(run, "pipeline", "status", run_id, "--host", host)
    assert (seen["state"], seen["error"]) == ("CANCELED", "the run was cancelled")
    assert document(run, "pipeline", "cancel", run_id, "--host", host)["state"] == "CANCELED"


def test_the_same_pipeline_is_uploaded_once(run: Run, host: str, kfp: KfpServer) -> None:
    upload = ("pipeline", "upload", "finetune-task", "--host", host)
    first = document(run, *upload)
    again = document(run, *upload)
    assert (first["created"], again["created"]) == (True, False)
    assert first["version_id"] == again["version_id"]
    assert len(kfp.pipelines) == 1
    assert kfp.versions[first["version_id"]]["name"] == first["version"]
    named = document(run, *upload, "--as", "first")
    assert named["created"]
    assert not document(run, *upload, "--as", "first")["created"]
    kfp.versions[named["version_id"]]["description"] = "nasoa something else"
    result = run(*upload, "--as", "first")
    assert result.code == 2
    assert "has different content" in result.err


def test_a_schedule_is_made_updated_paused_and_never_doubled(
    run: Run, host: str, kfp: KfpServer
) -> None:
    result = run(
        "pipeline", "schedule", "finetune-task", "--host", host, *STORE, *DATA, *NIGHTLY, "--json"
    )
    made = json.loads(result.out)
    assert result.err == (
        "nasoa: '0 3 * * *' is '0 0 3 * * *' in KFP's six fields (seconds first, in UTC)\n"
    )
    assert (made["change"], made["cron"], made["enabled"]) == ("created", "0 0 3 * * *", True)
    assert made["next_run"].endswith("T03:00:00+00:00")

    again = schedule(run, host, *STORE, *DATA, *NIGHTLY)
    assert (again["change"], again["recurring_run_id"]) == ("unchanged", made["recurring_run_id"])
    for more in (("--cron", "0 4 * * *"), (*NIGHTLY, "-p", "seed=1"), NIGHTLY):
        changed = schedule(run, host, *STORE, *DATA, *more)
        assert changed["change"] == "updated"
        (there,) = kfp.recurring_runs.values()
        assert there["recurring_run_id"] == changed["recurring_run_id"]
        assert there["status"] == "ENABLED"
        assert there["trigger"]["cron_schedule"]["cron"] == changed["cron"]

    assert schedule(run, host, "--pause")["change"] == "paused"
    assert schedule(run, host, "--pause")["change"] == "unchanged"
    assert kfp.firing("finetune-task") == []
    assert schedule(run, host, "--resume")["change"] == "resumed"
    paused = schedule(run, host, *STORE, *DATA, "--cron", "5 5 * * *", "--pause")
    assert (paused["change"], paused["enabled"], paused["next_run"]) == ("updated", False, None)
    assert kfp.most_firing == {"finetune-task": 1}
    assert schedule(run, host, "--remove")["change"] == "removed"
    assert kfp.recurring_runs == {}


def test_runs_and_schedules_are_given_a_service_account(
    run: Run, host: str, kfp: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(run, host, "--service-account", "nasoa-pipeline")
    assert [there["service_account"] for there in kfp.runs.values()] == ["nasoa-pipeline"]
    first = schedule(run, host, *STORE, *DATA, *NIGHTLY)
    with_account = ("--service-account", "nasoa-pipeline")
    changed = schedule(run, host, *STORE, *DATA, *NIGHTLY, *with_account)
    assert changed["change"] == "updated"
    assert changed["recurring_run_id"] != first["recurring_run_id"]
    (there,) = kfp.recurring_runs.values()
    assert there["service_account"] == "nasoa-pipeline"
    monkeypatch.setenv("NASOA_KFP_SERVICE_ACCOUNT", "nasoa-pipeline")
    assert schedule(run, host, *STORE, *DATA, *NIGHTLY)["change"] == "unchanged"
    monkeypatch.setenv("NASOA_KFP_SERVICE_ACCOUNT", "another")
    assert schedule(run, host, *STORE, *DATA, *NIGHTLY)["change"] == "updated"


def test_what_cannot_be_a_service_account_is_refused(run: Run, host: str, kfp: KfpServer) -> None:
    bad = ("--service-account", "Nasoa_Pipeline")
    result = run("pipeline", "run", "finetune-task", "--host", host, *STORE, *DATA, *bad)
    assert result.code == 2
    assert "expected a service account" in result.err
    assert kfp.runs == {}


def test_schedules_of_other_names_stay(run: Run, host: str, kfp: KfpServer) -> None:
    schedule(run, host, *STORE, *DATA, *NIGHTLY)
    schedule(run, host, *STORE, *DATA, *NIGHTLY, "--as", "second")
    schedule(run, host, "--remove")
    assert [job["display_name"] for job in kfp.recurring_runs.values()] == ["second"]


def test_doubles_that_are_there_are_tidied_up(run: Run, host: str, kfp: KfpServer) -> None:
    made = schedule(run, host, *STORE, *DATA, *NIGHTLY)
    first = kfp.recurring_runs[made["recurring_run_id"]]
    kfp.recurring_runs["double"] = {**first, "recurring_run_id": "double"}
    assert schedule(run, host, *STORE, *DATA, *NIGHTLY)["change"] == "updated"
    assert len(kfp.firing("finetune-task")) == len(kfp.recurring_runs) == 1


@pytest.mark.parametrize("at", ["POST .*recurringruns$", "DELETE ", "POST .*:enable"])
def test_an_update_that_is_cut_off_is_finished_by_the_next(
    run: Run, host: str, kfp: KfpServer, at: str
) -> None:
    schedule(run, host, *STORE, *DATA, *NIGHTLY)
    kfp.faults = [Fault(at, FAILURE)]
    changed = ("--cron", "0 5 * * *")
    broken = run("pipeline", "schedule", "finetune-task", "--host", host, *STORE, *DATA, *changed)
    assert broken.code == 1
    assert "database is locked" in broken.err
    kfp.faults = []
    assert schedule(run, host, *STORE, *DATA, *changed)["enabled"]
    (there,) = kfp.firing("finetune-task")
    assert there["trigger"]["cron_schedule"]["cron"] == "0 0 5 * * *"
    assert len(kfp.recurring_runs) == 1
    assert kfp.most_firing == {"finetune-task": 1}


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("times", [1, 3])
def test_what_fails_while_it_is_made_is_made_once(
    run: Run, host: str, kfp: KfpServer, after_effect: bool, times: int
) -> None:
    for path in ("experiments", "runs", "recurringruns", "pipelines/upload", "upload_version"):
        kfp.faults.append(Fault(f"POST .*{path}$", FAILURE, times, after_effect=after_effect))
    started(run, host)
    schedule(run, host, *STORE, *DATA, *NIGHTLY)
    assert [len(things) for things in (kfp.experiments, kfp.runs, kfp.recurring_runs)] == [1, 1, 1]
    assert len(kfp.pipelines) == 1
    assert len(kfp.versions) == 2  # KFP's own first, and ours


def test_a_namespace_is_told_where_there_are_several_users(run: Run, kfp: KfpServer) -> None:
    from tests.pipelines.http_server import serving

    kfp.multi_user = True
    with serving(kfp) as host:
        assert started(run, host, "--namespace", "ada")["run_id"] in kfp.runs
        (experiment,) = kfp.experiments.values()
        assert experiment["namespace"] == "ada"
        result = run("pipeline", "list-runs", "--host", host)
    assert result.code == 2
    assert "name your namespace with --namespace" in result.err


def test_the_home_folder_stays_as_it_is(run: Run, host: str, kfp: KfpServer, tmp_path: Any) -> None:
    kfp.multi_user = True
    started(run, host, "--namespace", "ada")
    assert list(tmp_path.iterdir()) == []
