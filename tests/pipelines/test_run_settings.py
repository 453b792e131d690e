"""What a site decides of whole runs: who is told of a failure, how long one may take and stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nasoa.errors import NasoaError
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, read
from nasoa.pipelines.demands import demands
from nasoa.pipelines.linting import lint
from nasoa.pipelines.options import CompileOptions, compile_options
from nasoa.pipelines.pod_settings import STORE_VARIABLES
from scripts.manifests.bundle import MANIFESTS
from scripts.manifests.selectors import matches

SITE = {
    "alert_secret": "nasoa-alerts",
    "run_ttl": "24h",
    "run_deadline": "200h",
    "pipelines": {"finetune-images": {"run_deadline": "2h"}},
}


@pytest.fixture
def site(tmp_path: Path) -> CompileOptions:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE))
    return compile_options({"site": str(path)}, {})


def compiled(name: str, options: CompileOptions, folder: Path) -> CompiledPipeline:
    path = catalogue.compile_to(name, folder, options)
    assert lint(path) == []
    return read(path)


def run_settings(pipeline: CompiledPipeline) -> dict[str, Any]:
    """What KFP's compiler hands to Argo for the whole workflow."""
    found: dict[str, Any] = pipeline.platform["platforms"]["kubernetes"].get("pipelineConfig") or {}
    return found


def test_a_network_policy_can_select_pods_that_use_the_webhook(
    site: CompileOptions, tmp_path: Path
) -> None:
    """Those of the last step, and of the job that reconciles."""
    folder = MANIFESTS / "components"
    policy = yaml.safe_load((folder / "alert-egress" / "network-policy.yaml").read_text())
    selector = policy["spec"]["podSelector"]
    steps = compiled("finetune_images", site, tmp_path).steps()
    pods = {step.key: step.platform["podMetadata"] for step in steps}
    documents = yaml.safe_load_all((folder / "reconciling" / "reconcile-runs.yaml").read_text())
    (job,) = (d for d in documents if d["kind"] == "CronJob")
    pods["reconcile"] = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]

    def selected() -> set[str]:
        return {name for name, pod in pods.items() if matches(selector, pod.get("labels", {}))}

    assert selected() == {"reconcile"}
    del selector["matchLabels"]["app.kubernetes.io/part-of"]  # as in alert-egress-multi-user
    assert selected() == {"record-failure", "reconcile"}


@pytest.mark.parametrize(
    ("name", "deadline_s"), [("finetune_images", 2 * 3600), ("finetune_task", 200 * 3600)]
)
def test_times_of_whole_runs_reach_argo(
    site: CompileOptions, tmp_path: Path, name: str, deadline_s: int
) -> None:
    """All three times to live: KFP's installation sets each, and the special ones come first."""
    assert run_settings(compiled(name, site, tmp_path)) == {
        "resourceTtlOnCompletion": 24 * 3600,
        "resourceTtlOnSuccess": 24 * 3600,
        "resourceTtlOnFailure": 24 * 3600,
        "activeDeadlineSeconds": deadline_s,
    }


def test_one_of_them_alone(tmp_path: Path) -> None:
    options = compile_options({}, {"NASOA_RUN_DEADLINE": "90s"})
    assert run_settings(compiled("finetune_images", options, tmp_path)) == {
        "activeDeadlineSeconds": 90
    }


def test_without_them_the_cluster_decides(tmp_path: Path) -> None:
    assert run_settings(compiled("finetune_images", CompileOptions(), tmp_path)) == {}


def test_the_last_step_alone_gets_the_webhook_s_address(
    site: CompileOptions, tmp_path: Path
) -> None:
    """It starts without that secret too, and not without the store's keys."""
    for step in compiled("finetune_images", site, tmp_path).steps():
        of_store, *others = step.platform["secretAsEnv"]
        assert {pair["envVar"] for pair in of_store["keyToEnv"]} == set(STORE_VARIABLES)
        assert not of_store.get("optional")
        alert = {
            "secretName": "nasoa-alerts",
            "keyToEnv": [{"secretKey": "NASOA_ALERT_URL", "envVar": "NASOA_ALERT_URL"}],
            "optional": True,
        }
        told = [{key: use[key] for key in alert} for use in others]
        assert told == ([alert] if step.key == "record-failure" else [])
        labels = step.platform.get("podMetadata", {}).get("labels", {})
        assert ("nasoa/alerts" in labels) == (step.key == "record-failure")


def test_the_doctor_looks_for_the_secret(site: CompileOptions) -> None:
    (last,) = (d for d in demands("finetune_images", {}, site) if d.step == "record-failure")
    assert last.secrets["nasoa-alerts"] == {"NASOA_ALERT_URL": "NASOA_ALERT_URL"}
    (main,) = (c for c in last.pod["containers"] if c["name"] == "main")
    sources = {v["name"]: v["valueFrom"]["secretKeyRef"] for v in main["env"] if "valueFrom" in v}
    assert sources["NASOA_ALERT_URL"]["optional"] is True
    assert "optional" not in sources["NASOA_S3_ENDPOINT"]


def test_a_pipeline_s_own_deadline_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({"pipelines": {"build_zoo": {"run_deadline": "soon"}}}))
    with pytest.raises(NasoaError, match="soon"):
        compile_options({"site": str(path)}, {})
