"""Survival beside pymoo on few points, and finished sizes, which are not measured again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("pymoo")

from benchmarks import sorting


@pytest.mark.parametrize("objectives", [2, 3])
def test_both_keep_points_of_the_same_ranks(objectives: int) -> None:
    row = sorting.compare(60, objectives, repeats=2)
    assert row["same_ranks_survive"]
    assert (row["survivors"], row["dtype"]) == (30, "float64")
    assert row["fronts"] > 3
    for kind in ("least", "median", "most"):
        assert row["with_building_times_as_fast"][kind] > row["survive_times_as_fast"][kind] > 0.0


def test_measured_sizes_are_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, output = tmp_path / "runs.jsonl", tmp_path / "sorting.json"
    words = ["sorting", "--repeats", "1", "--sizes", "20", "--runs", str(runs), "-o", str(output)]
    monkeypatch.setattr(sys, "argv", words)
    sorting.main()
    first = json.loads(output.read_text())
    assert [(row["points"], row["objectives"]) for row in first["sizes"]] == [(20, 2), (20, 3)]
    monkeypatch.setattr(sorting, "compare", None)
    sorting.main()
    assert json.loads(output.read_text()) == first
    monkeypatch.setattr(sys, "argv", [*words, "--sizes", "1"])
    with pytest.raises(SystemExit, match="2"):
        sorting.main()
    assert "at least 2 points" in capsys.readouterr().err
