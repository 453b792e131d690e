"""Pipelines on this machine: quiet, and tidy afterwards."""

from __future__ import annotations

import builtins
import logging
from pathlib import Path

import pytest

from nasoa.errors import DataError, InvalidInput
from nasoa.pipelines import local
from nasoa.steps.record_failure import failed_runs
from nasoa.steps.reporting import store_report
from nasoa.store import open_store
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
    assert store.list(folder) == [f"{folder}/model.json", f"{folder}/model.safetensors"]
    assert store.list("experience/") == [f"experience/{result['task_id']}.json"]
    assert failed_runs(watched.store) == []
    (watched.artifacts / "report.html").write_text(store_report(store))


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
