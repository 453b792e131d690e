"""Accuracies and leads of first tasks, and how the page presents those of another table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from benchmarks import starter_page
from benchmarks.results_files import result
from benchmarks.starter_summary import accuracies, leads
from benchmarks.table_version import records_today

WAYS = ["starter", "random"]
FOUND = {("a", 15.0): (0.5, 0.4), ("b", 15.0): (0.7, 0.7), ("a", 45.0): (0.6, 0.8)}
ROWS: list[dict[str, Any]] = [
    {"task": task, "limit_s": limit_s, "seed": seed, "way": way, "accuracy": accuracy + seed / 10}
    for (task, limit_s), both in FOUND.items()
    for way, accuracy in zip(WAYS, both, strict=True)
    for seed in (1, 0)
]
PLAIN = {"limits": {"15": {"accuracy": {"a.zip": {"linear": 0.3, "finetune": 0.2}}}}}


def test_leads_are_means_over_tasks_of_what_both_ways_ran() -> None:
    alone = {"task": "b", "limit_s": 45.0, "seed": 0, "way": "starter", "accuracy": 0.9}
    runs = pd.DataFrame([*ROWS, alone])
    lead = leads(runs, "starter", ["random"])["random"]
    assert lead["15 s"] == {"mean": 0.05, "interval_90": [0.0, 0.1], "runs": 4}
    assert "45 s" not in lead  # only one task
    assert lead["all limits"] == {"mean": -0.025, "interval_90": [-0.05, 0.0], "runs": 6}
    first = accuracies(runs, WAYS)[0]
    assert first == {
        "task": "a",
        "limit_s": 15.0,
        "starter": [0.5, 0.6],
        "random": pytest.approx([0.4, 0.5]),
    }


def test_the_file_has_the_summary_of_its_runs() -> None:
    found = result(starter_page.NAME)
    runs = pd.DataFrame(found["runs"])
    ways = [way for way in found["rows"][0] if way not in ("task", "limit_s")]
    ours = {(row["task"], row["limit_s"]): row for row in accuracies(runs, ways)}
    assert ours == {(row["task"], row["limit_s"]): row for row in found["rows"]}
    lead = leads(runs, ways[0], ways[1:])
    for way, limits in found["starter_less_others"].items():
        for limit, told in limits.items():
            assert {name: lead[way][limit][name] for name in ("mean", "runs")} == {
                name: told[name] for name in ("mean", "runs")
            }
            low, high = lead[way][limit]["interval_90"]
            assert low <= told["mean"] <= high


def page(monkeypatch: pytest.MonkeyPatch, collected_records: int) -> str:
    files = {
        "starter.json": {
            "machine": {"cpu": "a processor", "cores": 2},
            "collected_records": collected_records,
            "rows": accuracies(pd.DataFrame(ROWS), WAYS),
            "runs": ROWS,
        },
        "against_plain.json": PLAIN,
    }
    monkeypatch.setattr(starter_page, "result", files.__getitem__)
    monkeypatch.setattr(starter_page, "machine_of", lambda _name: "a processor, 2 cores")
    return starter_page.first_tasks()


def test_figures_of_the_present_table_stand_beside_plain_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = page(monkeypatch, records_today()).splitlines()
    assert "| limit | task | starter | random | linear | finetune |" in lines
    assert "| 15 s | a | 0.550 | 0.450 | 0.300 | 0.200 |" in lines
    assert "| 15 s | b | 0.750 | 0.750 |  |  |" in lines
    assert "| 15 s | **mean** | 0.650 | 0.600 |  |  |" in lines
    assert "| random | -0.025 (-0.050 to +0.000) | +0.050 (+0.000 to +0.100) |" in lines
    assert not any("not those of the present package" in line for line in lines)


def test_figures_of_an_earlier_table_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page(monkeypatch, 3209)
    assert "| limit | task | starter | random |\n" in text
    assert "not those of the present package" in text
    assert f"3,209 records, where today's table has {records_today():,}" in text
    assert "plain programs" not in text
