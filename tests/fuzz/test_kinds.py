"""A short form of the fuzz: some thousand cases of all that nasoa reads from outside."""

from __future__ import annotations

import pytest

from tests.fuzz import kinds
from tests.fuzz.__main__ import main, table
from tests.fuzz.running import run_cases

# Cases that take about four seconds of a core, half of which is imports.
GROUPS = [
    {"zip": 200, "tar": 200, "npz": 200, "shard": 100, "layout": 200},
    {"encoding": 500, "record": 400, "sealed": 300, "value": 300},
    {"jpeg": 200, "png": 200, "tiff": 200, "image": 150},
]
# What these import takes several seconds.
SLOW = [
    {"safetensors": 200, "checkpoint": 120, "labels": 60, "runs": 60, "command": 60},
    {"pipeline": 500},
]


def test_all_kinds_are_in_a_group() -> None:
    assert sorted(name for group in (*GROUPS, *SLOW) for name in group) == sorted(kinds.SHARES)


@pytest.mark.parametrize(
    "counts",
    [*GROUPS, *(pytest.param(group, marks=pytest.mark.slow) for group in SLOW)],
    ids=lambda counts: next(iter(counts)),
)
def test_each_case_is_accepted_or_refused_in_one_line(counts: dict[str, int]) -> None:
    results = run_cases(counts)
    assert not any(result.faults for result in results.values()), table(results, 1.0)
    for name, result in results.items():
        assert result.cases == counts[name]
        assert result.accepted > 0, name
        assert result.refused > 0, name


def test_a_number_makes_the_same_case_each_time() -> None:
    for name in ("encoding", "layout", "value"):
        kind = kinds.load(name)
        cases = [kinds.make(kind, name, seed) for seed in range(50)]
        assert cases == [kinds.make(kind, name, seed) for seed in range(50)]
        assert len({repr(case) for case in cases}) > 30


def test_the_command_prints_counts_and_the_way_to_replay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--cases", "30", "--kinds", "encoding", "--seed", "5", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "cases", "accepted", "refused", "faults", "cases/s"]
    assert lines[1].split()[:2] == ["encoding", "30"]
    assert main(["--kinds", "encoding", "--seed", "5", "--show"]) == 0
    shown = capsys.readouterr().out
    assert shown == f"{kinds.make(kinds.load('encoding'), 'encoding', 5)!r}\n"
