"""Studies of a search measure alone, before they train, and repeat what was not finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nasoa.config import EvaluateConfig
from nasoa.offline.evaluate import Trained
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import SearchConfig
from nasoa.offline.space import BlockSpace
from scripts import search_study
from scripts.search_study import Job, read_rows, remeasure, run
from tests.evaluations import evaluation

CONFIG = SearchConfig(
    block=BlockSpace.small(), data="x.zip", evaluate=EvaluateConfig.small(), max_step_time_ms=50.0
)
JOBS = [Job("full", f"{kind}- 16 1-2-21-2", 0, 1.0) for kind in range(3)]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """Work, encoding and time limit of each call of a worker; the first training is too long."""
    found: list[tuple[str, str, float]] = []

    class Worker(IsolatedWorker):
        def call(self, work: Any, *arguments: Any, timeout_s: float) -> Outcome[Any]:
            name, encoding = work.__name__, arguments[0]
            is_first = name not in {before for before, *_ in found}
            found.append((name, encoding, timeout_s))
            if name == "measure_isolated":
                return Outcome(evaluation(encoding, 10.0, 0.5).costs)
            failure = "timeout" if is_first else ""
            return Outcome(Trained(None if failure else 0.5, failure, (), 1.0, 0.4))

    monkeypatch.setattr(search_study, "new_worker", lambda _threads: Worker(print))
    return found


def test_costs_are_measured_before_the_first_training(
    tmp_path: Path, called: list[tuple[str, str, float]]
) -> None:
    path = tmp_path / "study-s.jsonl"
    run(CONFIG, JOBS, path, workers=2)
    names = [name for name, *_ in called]
    assert names == ["measure_isolated"] * 3 + ["train_seeded"] * 3
    # All epochs take four times as long as the quarter that the limit is for.
    assert called[-1][2] > 4 * CONFIG.evaluate.timeout_s > called[0][2]
    assert len(read_rows(path)) == 2  # the one that took too long is missing
    done = {row["encoding"] for row in read_rows(path)}
    run(CONFIG, [job for job in JOBS if job.encoding not in done], path, workers=2)
    assert [name for name, *_ in called[6:]] == ["train_seeded"]
    assert {row["encoding"] for row in read_rows(path)} == {job.encoding for job in JOBS}
    assert all(row["score"] == 0.4 for row in read_rows(path))
    assert all(row["hardware"] == "cpu" for row in read_rows(path))


def test_times_are_measured_again_without_training(
    tmp_path: Path, called: list[tuple[str, str, float]]
) -> None:
    path = tmp_path / "study-s.jsonl"
    path.write_text(json.dumps({"kind": "full"}) + "\n" + '{"cut o')
    assert len(read_rows(path)) == 1
    remeasure(CONFIG, [Job("remeasured", JOBS[0].encoding, 0, 0.25)], path)
    (_first, row) = read_rows(path)
    assert (row["kind"], row["step_time_ms"], row["accuracy"]) == ("remeasured", 10.0, None)
    assert [name for name, *_ in called] == ["measure_isolated"]
