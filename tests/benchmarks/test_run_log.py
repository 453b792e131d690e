"""Finished runs are read back, and an incomplete last line is not; processes share their runs."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.run_log import RunLog, names_of
from benchmarks.shards import add_shard, shard_log


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


def test_reading_does_not_change_a_file_that_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"seed": 1}\n{"se')  # half of a line
    reader = RunLog(path, ("seed",))
    assert path.read_text() == '{"seed": 1}\n{"se'
    with path.open("a") as file:
        file.write('ed": 2}\n')
    reader.refresh()
    assert reader.rows == [{"seed": 1}, {"seed": 2}]


def test_two_writers_of_a_file_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    one, other = RunLog(path, ("seed",)), RunLog(path, ("seed",))
    for seed in range(4):
        (one if seed % 2 else other).append({"seed": seed})
    one.refresh()
    other.refresh()
    for log in (one, other, RunLog(path, ("seed",))):
        assert sorted(row["seed"] for row in log.rows) == [0, 1, 2, 3]


def test_shards_write_their_own_files_and_read_all(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    RunLog(path, ("seed",)).append({"seed": 0})
    first, second = (shard_log(path, ("seed",), (index, 2)) for index in range(2))
    first.append({"seed": 1})
    assert not second.has(seed=1)
    second.refresh()
    assert second.has(seed=0)
    assert second.has(seed=1)
    second.append({"seed": 2})
    assert (tmp_path / "runs.1.jsonl").read_text() == '{"seed": 2}\n'
    # Also with another number of processes.
    for shard in ((0, 1), (2, 3)):
        found = shard_log(path, ("seed",), shard)
        assert sorted(row["seed"] for row in found.rows) == [0, 1, 2]


def test_a_shard_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_shard(parser)
    assert parser.parse_args([]).shard == (0, 1)
    assert parser.parse_args(["--shard", "1", "2"]).shard == (1, 2)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--shard", "2", "2"])
    assert ended.value.code == 2
    assert "for example --shard 0 2, got 2 2" in capsys.readouterr().err


def test_names_tell_data_sets_apart() -> None:
    assert names_of(["a/x.zip", "y.zip", "y.zip"]) == {"x.zip": "a/x.zip", "y.zip": "y.zip"}
    with pytest.raises(ValueError, match="different names"):
        names_of(["a/x.zip", "b/x.zip"])
