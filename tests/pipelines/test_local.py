"""Pipelines run on this machine without output, and leave nothing behind."""

from __future__ import annotations

import builtins
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import DataError, InvalidInput
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.online.predictor.paper_predictor import PAPER_PREDICTOR_NAME
from nasoa.pipelines import local
from nasoa.steps.record_failure import failed_runs
from nasoa.steps.reporting import store_report
from nasoa.store import experience_log, open_store, snapshots
from tests.pipelines.conftest import Watched


@pytest.mark.slow
def test_a_pipeline_runs_on_s3_and_leaves_nothing_patched(
    watched: Watched, shared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    original = (builtins.print, logging.getLogger().handlers[:], logging.getLogger().level)
    result = local.run(
        "finetune_task",
        {
            "data": str(shared / "data" / "pacs_photo.zip"),
            "time_limit": "6s",
            "store": watched.store,
            "clock": "steps",
        },
        verbose=False,
    )
    assert (builtins.print, logging.getLogger().handlers, logging.getLogger().level) == original
    assert capfd.readouterr() == ("", "")
    assert result["accuracy"] > 0.6
    store = open_store(watched.store)
    folder = result["model_dir"].removeprefix(f"{watched.store}/")
    names = ("README.md", "model.json", "model.safetensors")
    assert store.list(folder) == [f"{folder}/{name}" for name in names]
    assert store.list("experience/") == [f"experience/{result['task_id']}.json"]
    assert failed_runs(watched.store) == []
    (watched.artifacts / "report.html").write_text(store_report(store))
    check_lineage(watched, result)


@pytest.mark.slow
def test_a_pipeline_takes_the_papers_method(tmp_path: Path) -> None:
    data = "sklearn:digits:classes=0,1,2,3:per_class=60"
    given = {"data": data, "time_limit": "2s", "store": str(tmp_path), "clock": "steps"}
    begun: list[str] = []
    result = local.run(
        "finetune_task", {**given, "method": "paper"}, verbose=False, begins=begun.append
    )
    assert begun[:3] == ["compute-meta-features", "predict-regime", "finetune"]
    store = open_store(str(tmp_path))
    assert experience_log.read(store, result["task_id"]).task.method == "paper"
    assert snapshots.versions(store, PAPER_PREDICTOR_NAME) == [1, 2]
    assert snapshots.versions(store, PREDICTOR_NAME) == []


def check_lineage(watched: Watched, result: Any) -> None:
    """Check the artifacts of a run: the model, and the predictors that chose and that learned."""
    told = {}
    for output in watched.artifacts.rglob("executor_output.json"):
        step = output.parent.name
        for name, listed in json.loads(output.read_text()).get("artifacts", {}).items():
            (told[step, name],) = listed["artifacts"]
    store = open_store(watched.store)
    model = told["finetune", "model"]
    assert model["uri"] == f"nasoa+{result['model_dir']}"
    assert model["metadata"]["location"] == result["model_dir"]
    assert model["metadata"]["accuracy"] == result["accuracy"]
    assert model["metadata"]["regime_frozen_stages"] == result["regime"]["frozen_stages"]
    chose, learned = told["predict-regime", "predictor"], told["update-predictor", "predictor"]
    assert chose["metadata"]["version"] == result["predictor_version_before"] == 1
    assert learned["metadata"]["version"] == result["predictor_version_after"] == 2
    for artifact in (chose, learned):
        key = artifact["metadata"]["location"].removeprefix(f"{watched.store}/")
        assert store.stat(key).size_bytes > 0
    assert told["predict-regime", "zoo"]["metadata"]["num_models"] > 0


@pytest.mark.slow
def test_logs_are_shown_when_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    parameters = {"data": "nowhere.zip", "store": str(tmp_path)}
    with pytest.raises(InvalidInput, match=r"nowhere\.zip"):
        local.run("finetune_task", parameters, verbose=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "compute-meta-features" in captured.err
    assert DataError.__name__ in captured.err
    (failed,) = failed_runs(str(tmp_path))
    assert (failed.pipeline, failed.subject) == ("finetune-task", "nowhere.zip")
    assert failed.state == "FAILED"
