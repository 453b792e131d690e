"""Alerts ask for metrics that there are: of the store, of kube-state-metrics."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasoa.cli.main import build_parser
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Outcome
from nasoa.steps.metrics import StoreMetrics
from nasoa.steps.step_log import record_outcome
from nasoa.store import keys, open_store, snapshots
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import LearningRecord, nothing
from scripts.manifests.bundle import Bundle
from scripts.manifests.pods import pods
from tests.manifests.cluster_store import find

FULL = ["single-user-full", "multi-user-full"]
# docs/metrics/workload/cronjob-metrics.md of kubernetes/kube-state-metrics.
OF_KUBERNETES = {"kube_cronjob_status_last_successful_time"}


def expressions(bundle: Bundle) -> dict[str, str]:
    groups = find(bundle, "PrometheusRule", "nasoa")["spec"]["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def produced(folder: Path) -> set[str]:
    """The names of all samples of a store with a search, a failed task, and a predictor."""
    store = open_store(str(folder))
    store.put(keys.evaluation("blocks", "a"), b"{}")
    failed = Outcome(
        task_id="t",
        reason="StoreFailed",
        elapsed_s=1.0,
        time_limit_s=2.0,
        durations_s={"describe": 1.0},
        store_retries=0,
        created_at="",
        code_version="",
    )
    record_outcome(store, failed)
    record = LearningRecord(recent=(0.1,))
    info = replace(nothing(PREDICTOR_NAME), version=1, record=record)
    snapshots.save(store, Snapshot({"weight": np.zeros(1)}, info))
    lines = StoreMetrics(open_store(str(folder))).text().splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("overlay", FULL)
def test_every_metric_is_produced(built: dict[str, Bundle], overlay: str, tmp_path: Path) -> None:
    asked = {
        name
        for expression in expressions(built[overlay]).values()
        for name in re.findall(r"\b(?:nasoa|kube)_\w+", expression)
    }
    assert asked - OF_KUBERNETES <= produced(tmp_path)
    assert {"nasoa_tasks_late_total", "nasoa_runs_failed_total"} <= asked
    assert {"nasoa_tasks_failed_total", "nasoa_store_quarantined"} <= asked
    assert {"nasoa_predictor_drift_version", "nasoa_search_evaluations"} <= asked


@pytest.mark.parametrize("overlay", FULL)
def test_the_job_that_an_alert_names_is_there(built: dict[str, Bundle], overlay: str) -> None:
    (name,) = re.findall(r'cronjob="([^"]+)"', expressions(built[overlay])["NasoaLogIsNotPacked"])
    assert find(built[overlay], "CronJob", name)


@pytest.mark.parametrize("overlay", FULL)
def test_the_figures_are_served_where_they_are_scraped(
    built: dict[str, Bundle], overlay: str
) -> None:
    (pod,) = (p for p in pods(built[overlay]) if p.where.endswith("/store-metrics"))
    (container,) = pod.containers
    program, *words = container["command"]
    assert program == "nasoa"
    (port,) = container["ports"]
    assert build_parser().parse_args(words).port == port["containerPort"]
    monitor = find(built[overlay], "PodMonitor", "store-metrics")["spec"]
    assert monitor["podMetricsEndpoints"][0]["port"] == port["name"]
