"""Records of failed runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nasoa.errors import InvalidInput
from nasoa.steps.metrics import StoreMetrics
from nasoa.steps.record_failure import (
    explain_failure,
    failed_runs,
    lacks_reason,
    record_failure,
)
from nasoa.steps.reporting import store_report
from nasoa.store import keys, open_store


@pytest.mark.parametrize("state", ["SUCCEEDED", "COMPLETE", "CACHED"])
def test_a_success_leaves_nothing(tmp_path: Path, state: str) -> None:
    assert record_failure(str(tmp_path / "s"), "run", "finetune-task", "d", state, None) == ""
    assert not (tmp_path / "s").exists()


def test_a_failure_is_recorded_once_and_shown(tmp_path: Path) -> None:
    store = str(tmp_path)
    key = record_failure(store, "run-1", "finetune-task", "s3://b/<i>d</i>", "FAILED", "Exit 1")
    again = record_failure(store, "run-1", "finetune-task", "other", "FAILED", "")
    assert key == again == "failure/run-1.json"
    record_failure(store, "run-2", "build-zoo", "macro", "CANCELLED", None)
    first, second = failed_runs(store)
    assert (first.run_id, first.subject, first.message) == ("run-1", "s3://b/<i>d</i>", "Exit 1")
    assert (second.pipeline, second.state) == ("build-zoo", "CANCELLED")
    page = store_report(open_store(store))
    for shown in ("Failed runs", "s3://b/&lt;i&gt;d&lt;/i&gt;", "Exit 1", ">cancelled<"):
        assert shown in page


def test_a_failure_that_no_step_told_of_is_recorded(tmp_path: Path) -> None:
    """KFP reports RUNNING after all steps have ended, if one of them could not report its end."""
    record_failure(str(tmp_path), "run-1", "finetune-task", "d", "RUNNING", None)
    (found,) = failed_runs(str(tmp_path))
    assert found.state == "FAILED"
    assert "ended without reporting to KFP" in found.message


def test_a_reason_that_is_found_later_is_recorded_once(tmp_path: Path) -> None:
    store = str(tmp_path)
    record_failure(store, "run-1", "finetune-task", "d", "RUNNING", None)
    (found,) = failed_runs(store)
    assert lacks_reason(found)
    assert explain_failure(store, found, "CANCELED", "first") == "failure/explained/run-1.json"
    explain_failure(store, found, "FAILED", "second")
    (explained,) = failed_runs(store)
    assert explained == replace(found, state="CANCELED", message="first")
    assert not lacks_reason(explained)
    assert "nasoa_runs_failed_total 1\n" in StoreMetrics(open_store(store)).text()


def test_a_corrupt_reason_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record_failure(str(tmp_path), "run-1", "p", "d", "FAILED", "")
    open_store(str(tmp_path)).put(keys.explained_failure("run-1"), b"{")
    (found,) = failed_runs(str(tmp_path))
    assert found.message == ""
    assert "failure/explained/run-1.json" in caplog.text


def test_a_corrupt_record_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record_failure(str(tmp_path), "run-1", "p", "d", "FAILED", "")
    open_store(str(tmp_path)).put(keys.failure("run-2"), b"{")
    assert [failed.run_id for failed in failed_runs(str(tmp_path))] == ["run-1"]
    assert "failure/run-2.json" in caplog.text


def test_a_run_is_named_by_an_id(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected a name"):
        record_failure(str(tmp_path), "../x", "p", "d", "FAILED", "")


def test_a_first_mistake_makes_no_folder(tmp_path: Path) -> None:
    assert record_failure(str(tmp_path / "s"), "run-1", "p", "d", "FAILED", "") == ""
    assert list(tmp_path.iterdir()) == []
