"""Metrics of a store for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Experience, Outcome
from nasoa.steps.metrics import StoreMetrics
from nasoa.steps.record_failure import record_failure
from nasoa.steps.step_log import record_outcome
from nasoa.store import ArtifactStore, experience_log, keys, open_store, snapshots
from nasoa.store.compaction import compact
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import LearningRecord, SnapshotInfo
from tests.report.conftest import (
    make_experience,  # noqa: F401
    regime,  # noqa: F401
)

LINE = re.compile(
    r'(?P<name>[a-z_]+)(?:\{(?:search|reason|step)="(?P<label>[^"]+)"\})? (?P<value>[0-9.e+-]+)'
)


def figures(metrics: StoreMetrics) -> dict[str, float]:
    """Return every sample, parsed as Prometheus would."""
    found = {}
    for line in metrics.text().splitlines():
        if not line.startswith("# "):
            match = LINE.fullmatch(line)
            assert match, line
            name = match["name"] + (f" {match['label']}" if match["label"] else "")
            found[name] = float(match["value"])
    return found


def version(number: int, record: LearningRecord) -> Snapshot:
    info = SnapshotInfo(
        name=PREDICTOR_NAME,
        version=number,
        parent=number - 1,
        new=(),
        created_at="2026-01-02T03:04:05+00:00",
        code_version="0",
        record=record,
    )
    return Snapshot({"weight": np.zeros(1)}, info)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path))


def test_an_empty_store(tmp_path: Path) -> None:
    assert figures(StoreMetrics(open_store(str(tmp_path / "absent")))) == {
        "nasoa_tasks_finished_total": 0,
        "nasoa_tasks_late_total": 0,
        "nasoa_runs_failed_total": 0,
        "nasoa_store_retries_total": 0,
        "nasoa_store_quarantined": 0,
        "nasoa_predictor_version": 0,
        "nasoa_predictor_drift_version": 0,
    }


def test_every_figure_has_a_meaning_and_a_type(tmp_path: Path) -> None:
    text = StoreMetrics(open_store(str(tmp_path))).text()
    names = re.findall(r"(?m)^# TYPE (\w+) (counter|gauge)$", text)
    assert [name for name, _ in names] == re.findall(r"(?m)^# HELP (\w+) \S", text)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in names)


def test_late_tasks_are_counted_once_wherever_they_are(
    store: ArtifactStore,
    make_experience: Callable[..., Experience],  # noqa: F811
) -> None:
    """Whether loose or packed, before the first scrape or between two."""
    metrics = StoreMetrics(store)
    experiences = [make_experience(f"d{i}") for i in range(4)]
    limit_s = experiences[0].task.time_limit_s
    experiences = [
        replace(e, elapsed_s=limit_s + (i % 2 or -1), task=replace(e.task, task_id=f"t{i}"))
        for i, e in enumerate(experiences)
    ]
    for experience in experiences[:2]:
        experience_log.append(store, experience)
    first = figures(metrics)
    assert (first["nasoa_tasks_finished_total"], first["nasoa_tasks_late_total"]) == (2, 1)
    for experience in experiences[2:]:
        experience_log.append(store, experience)
    compact(store, block_size=3)
    for read in (metrics, StoreMetrics(store)):
        found = figures(read)
        assert (found["nasoa_tasks_finished_total"], found["nasoa_tasks_late_total"]) == (4, 2)


def test_a_corrupt_experience_is_named_once(
    store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(keys.experience("t"), b"{")
    metrics = StoreMetrics(store)
    assert figures(metrics)["nasoa_tasks_finished_total"] == 0
    assert figures(metrics)["nasoa_tasks_finished_total"] == 0
    assert caplog.text.count("experience/t.json") == 1


def test_failed_runs(store: ArtifactStore) -> None:
    for run in ("a", "b", "a"):
        record_failure(store.uri, run, "build-zoo", "macro", "FAILED", "")
    assert figures(StoreMetrics(store))["nasoa_runs_failed_total"] == 2


def outcome(task_id: str, **changed: Any) -> Outcome:
    return Outcome(
        **{
            "task_id": task_id,
            "reason": "",
            "elapsed_s": 9.0,
            "time_limit_s": 10.0,
            "durations_s": {"describe": 2.0, "finetune": 5.5},
            "store_retries": 0,
            "created_at": "2026-01-02T03:04:05+00:00",
            "code_version": "0",
            **changed,
        }
    )


def test_what_became_of_tasks(store: ArtifactStore, caplog: pytest.LogCaptureFixture) -> None:
    metrics = StoreMetrics(store)
    record_outcome(store, outcome("t1", store_retries=3))
    record_outcome(store, outcome("t2", reason="StoreFailed", durations_s={"describe": 1.0}))
    first = figures(metrics)
    assert first["nasoa_tasks_failed_total StoreFailed"] == 1
    for number in range(2):
        store.put(keys.quarantined(f"t{number}", "ab"), b"damaged")
    record_outcome(store, outcome("t3", reason="StoreFailed", store_retries=1))
    store.put(keys.outcome("t4"), b"{")
    for read in (metrics, StoreMetrics(store)):
        found = figures(read)
        assert found["nasoa_tasks_failed_total StoreFailed"] == 2
        assert found["nasoa_step_seconds_total describe"] == 5.0
        assert found["nasoa_step_seconds_total finetune"] == 11.0
        assert found["nasoa_steps_ended_total finetune"] == 2
        assert found["nasoa_store_retries_total"] == 4
        assert found["nasoa_store_quarantined"] == 2
    figures(metrics)
    assert caplog.text.count("task/t4/outcome.json") == 2  # once for each reader


def test_the_predictor(store: ArtifactStore, caplog: pytest.LogCaptureFixture) -> None:
    snapshots.save(store, version(1, LearningRecord(rang_at=(3,), recent=(0.1, 0.3))))
    metrics = StoreMetrics(store)
    found = figures(metrics)
    assert found["nasoa_predictor_version"] == found["nasoa_predictor_drift_version"] == 1
    assert found["nasoa_predictor_recent_mean_abs_error"] == 0.2
    snapshots.save(store, version(2, LearningRecord(recent=(0.5,))))
    found = figures(metrics)
    assert found["nasoa_predictor_version"] == 2
    assert found["nasoa_predictor_drift_version"] == 1
    assert found["nasoa_predictor_recent_mean_abs_error"] == 0.5
    snapshots.save(store, version(3, LearningRecord(rang_at=(9,))))
    store.put(keys.predictor(PREDICTOR_NAME, 3, "json"), b"{")
    assert figures(metrics)["nasoa_predictor_version"] == 3
    assert "v000003.json" in caplog.text


def test_a_version_that_is_being_written_is_read_later(store: ArtifactStore) -> None:
    """Its JSON copy is written a moment later."""
    snapshots.save(store, version(1, LearningRecord(rang_at=(1,))))
    record = store.get(keys.predictor(PREDICTOR_NAME, 1, "json"))
    store.delete(keys.predictor(PREDICTOR_NAME, 1, "json"))
    metrics = StoreMetrics(store)
    assert figures(metrics)["nasoa_predictor_version"] == 0
    store.put(keys.predictor(PREDICTOR_NAME, 1, "json"), record)
    assert figures(metrics)["nasoa_predictor_drift_version"] == 1


def test_searches(store: ArtifactStore) -> None:
    for search, architecture in (("blocks", "a"), ("blocks", "b"), ("macro", "a")):
        store.put(keys.evaluation(search, architecture), b"{}")
        store.put(keys.search_config(search), b"{}")
    found = figures(StoreMetrics(store))
    assert found["nasoa_search_evaluations blocks"] == 2
    assert found["nasoa_search_evaluations macro"] == 1
