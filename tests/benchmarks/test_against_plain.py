"""The order of runs, and the summary of synthetic ones."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

from benchmarks.against_plain import ARMS, markdown, summarise, turns


def test_arms_take_turns() -> None:
    runs = list(turns({"x": "x", "y": "y"}, (15.0, 45.0), (0, 1, 2, 3), ARMS))
    assert len(set(runs)) == len(runs) == 2 * 2 * 4 * 4
    firsts = Counter(runs[number][3] for number in range(0, len(runs), len(ARMS)))
    assert firsts == dict.fromkeys(ARMS, 4)


def test_an_arm_does_not_import_what_only_the_summary_needs() -> None:
    """Imports count towards an arm's time limit."""
    code = "import sys; import benchmarks.against_plain; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_the_result_has_every_limit_with_complete_data_sets() -> None:
    rows: list[dict[str, Any]] = [
        {
            "data": data,
            "limit_s": 15.0,
            "seed": 0,
            "arm": arm,
            "accuracy": 0.5 + 0.1 * number,
            "cpu": "c",
            "code_version": "v",
        }
        for data in ("x", "y")
        for number, arm in enumerate(reversed(ARMS))
    ]
    result = summarise(rows, (15.0, 45.0))
    assert list(result["limits"]) == ["15"]
    assert result["seeds"] == [0]
    assert result["code_versions"] == ["v"]
    assert result["cpus"] == ["c"]
    lines = markdown(result).splitlines()
    assert lines[2] == "| 15 s | x | 0.8000 | 0.7000 | 0.6000 | 0.5000 | +0.1000 (loop) |"
    assert lines[-1].startswith("| 15 s | mean | 0.8000 |")
    assert lines[-1].endswith("+0.1000 (loop, +0.1000 to +0.1000) |")
