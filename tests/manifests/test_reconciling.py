"""The job that looks after runs: where it is, what it does, and that its rights are no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasoa.cli import main
from nasoa.cli.main import build_parser
from nasoa.offline.search import StopCriterion
from nasoa.pipelines import transport
from nasoa.steps import searches
from nasoa.steps.nsga_select import reason_of_end, select_generation
from nasoa.steps.record_failure import failed_runs, record_failure
from nasoa.store import ArtifactStore
from scripts.manifests.bundle import Bundle
from scripts.manifests.pods import pods
from tests.manifests.cluster_store import find
from tests.pipelines.http_server import Request, serving
from tests.pipelines.kfp_api import operation
from tests.pipelines.kfp_server import KfpServer

WHERE = [
    ("single-user-gpu", "kubeflow"),
    ("single-user-full", "kubeflow"),
    ("multi-user-gpu", "nasoa"),
    ("multi-user-gpu", "nasoa-search"),
    ("multi-user-full", "nasoa"),
    ("multi-user-full", "nasoa-search"),
]
# What KFP asks Kubernetes for: resource and verb of pipelines.kubeflow.org. K is
# backend/src/apiserver/server of kubeflow/pipelines 2.17.0.
RIGHTS = {
    "run_service_list_runs": ("runs", "list"),  # K run_server.go, line 228
    "run_service_get_run": ("runs", "get"),  # K run_server.go, line 189; API of version 1, too
    "recurring_run_service_list_recurring_runs": ("jobs", "list"),  # K job_server.go, line 192
    "recurring_run_service_disable_recurring_run": ("jobs", "disable"),  # line 270
    "pipeline_service_get_pipeline_version": ("pipelines", "get"),  # K pipeline_server.go, line 931
}


@pytest.mark.parametrize(("overlay", "namespace"), WHERE)
def test_it_is_a_command_with_all_that_it_needs(
    built: dict[str, Bundle], overlay: str, namespace: str
) -> None:
    job = find(built[overlay], "CronJob", "reconcile-runs", namespace)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    program, *words = container["command"]
    assert program == "nasoa"
    assert build_parser().parse_args(words).verb == "reconcile"
    given = {variable["name"] for variable in container["env"]}
    assert {
        "NASOA_KFP_HOST", "NASOA_STORE", "NASOA_S3_ENDPOINT", "NASOA_S3_ACCESS_KEY_ID",
        "NASOA_S3_SECRET_ACCESS_KEY",
    } <= given  # fmt: skip
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    with_users = overlay.startswith("multi")
    assert ("NASOA_KFP_TOKEN_FILE" in given) == with_users
    assert ("NASOA_KFP_NAMESPACE" in given) == with_users


def test_kfp_with_users_is_told_who_asks(built: dict[str, Bundle]) -> None:
    for namespace in ("nasoa", "nasoa-search"):
        (pod,) = (
            p
            for p in pods(built["multi-user-gpu"])
            if p.where == f"CronJob {namespace}/reconcile-runs"
        )
        (volume,) = (v for v in pod.spec["volumes"] if v["name"] == "kfp-token")
        (source,) = volume["projected"]["sources"]
        (container,) = pod.containers
        (mount,) = (m for m in container["volumeMounts"] if m["name"] == "kfp-token")
        (path,) = (v["value"] for v in container["env"] if v["name"] == "NASOA_KFP_TOKEN_FILE")
        assert source["serviceAccountToken"]["audience"] == "pipelines.kubeflow.org"
        assert path == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"


@pytest.fixture
def asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[Request]:
    """What the command asks KFP about a failed run and the schedule of an ended search."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transport.Patience, "wait", lambda self, seconds: None)
    store = str(tmp_path / "store")
    config = searches.configure(store, space="block", data="s3://b/p", num_children=1)
    searches.open_search(store, "blocks", config)
    monkeypatch.setattr("nasoa.pipelines.ended_searches.reason_of_end", lambda *_: "used up")
    kfp = KfpServer(multi_user=True)
    with serving(kfp) as host:
        common = ("--host", host, "--namespace", "nasoa-search")
        given = ("-p", "data=s3://b/p", "-p", f"store={store}")
        when = ("--cron", "0 * * * *")
        assert main(["pipeline", "schedule", "search-generation", *common, *when, *given]) == 0
        assert main(["pipeline", "run", "finetune-task", *common, *given]) == 0
        (run_id,) = kfp.runs
        kfp.advance(run_id, "FAILED", "out of memory")
        before = len(kfp.requests)
        assert main(["pipeline", "reconcile", *common, "--store", store]) == 0
    assert "paused" in capsys.readouterr().out
    assert len(failed_runs(store)) == 1
    return kfp.requests[before:]


def test_its_rights_at_kfp_are_what_it_asks_for(
    asked: list[Request], built: dict[str, Bundle]
) -> None:
    needed = set()
    for request in asked:
        found = operation(request.method, request.path)
        if request.path.endswith("/healthz"):
            continue
        if request.path.startswith("/apis/v1beta1/runs/"):
            needed.add(("runs", "get"))
            continue
        assert found is not None, request.path
        needed.add(RIGHTS[found[0].name])
    for namespace in ("nasoa", "nasoa-search"):
        role = find(built["multi-user-gpu"], "Role", "nasoa-reconciler", namespace)
        granted = {
            (resource, verb)
            for rule in role["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        assert granted == needed


def test_its_keys_are_enough_and_no_more(
    emptied: None, as_identity: Callable[[str], ArtifactStore]
) -> None:
    uri = "s3://nasoa"
    as_identity("admin").put("data/a", b"1")
    config = searches.configure(uri, space="block", data="s3://b/p", num_children=1)
    searches.open_search(uri, "s", config)
    select_generation(uri, "s", StopCriterion())
    store: Any = as_identity("nasoa-s3-reconcile")
    assert record_failure(uri, "r", "build-zoo", "macro", "CANCELED", "")
    assert len(failed_runs(uri)) == 1
    assert reason_of_end(uri, "s", StopCriterion(max_evaluations=1)) == ""
    for refused in (lambda: store.get("data/a"), lambda: store.put("search/s/a", b"1")):
        with pytest.raises(Exception, match="refuses these credentials"):
            refused()
