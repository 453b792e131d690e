"""Finished runs are read back, and an incomplete last line is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.run_log import RunLog, names_of


def test_finished_runs_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "build" / "runs.jsonl"
    RunLog(path, ("data", "seed")).append({"data": "x", "seed": 1, "accuracy": 0.5})
    log = RunLog(path, ("data", "seed"))
    assert log.has(data="x", seed=1)
    assert not log.has(data="x", seed=2)
    assert not log.has(data="y", seed=1)
    assert log.rows == [{"data": "x", "seed": 1, "accuracy": 0.5}]


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"seed": 1}\n{"se')
    log = RunLog(path, ("seed",))
    log.append({"seed": 2})
    assert RunLog(path, ("seed",)).rows == [{"seed": 1}, {"seed": 2}]


def test_names_tell_data_sets_apart() -> None:
    assert names_of(["a/x.zip", "y.zip", "y.zip"]) == {"x.zip": "a/x.zip", "y.zip": "y.zip"}
    with pytest.raises(ValueError, match="different names"):
        names_of(["a/x.zip", "b/x.zip"])
