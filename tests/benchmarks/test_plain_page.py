"""The sections on plain programs and on linear classifiers."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks import against_plain, not_below_linear, plain_page


def use(monkeypatch: pytest.MonkeyPatch, content: dict[str, Any]) -> None:
    monkeypatch.setattr(plain_page, "result", lambda _name: content)


def test_leads_are_over_the_best_plain_program_of_each_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accuracies = {
        "a.zip": {"nasoa": 0.8, "loop": 0.5, "linear": 0.7, "finetune": 0.6},
        "b.zip": {"nasoa": 0.7, "loop": 0.8, "linear": 0.6, "finetune": 0.1},
    }
    rows = [
        {
            "data": data,
            "limit_s": 15.0,
            "seed": 0,
            "arm": arm,
            "accuracy": accuracy,
            "cpu": "a processor",
            "code_version": "v",
        }
        for data, own in accuracies.items()
        for arm, accuracy in own.items()
    ]
    use(monkeypatch, against_plain.summarise(rows, [15.0]))
    lines = plain_page.beside_plain_programs().splitlines()
    assert "| 15 s | a | 0.800 | 0.500 | 0.700 | 0.600 | +0.100 (linear) |" in lines
    assert "| 15 s | b | 0.700 | 0.800 | 0.600 | 0.100 | -0.100 (loop) |" in lines
    last = [line for line in lines if line.startswith("|")][-1]
    assert last.startswith("| 15 s | **mean** | 0.750 | 0.650 | 0.650 | 0.350 | +0.100 (loop,")
    assert f"{os.cpu_count()} cores of a processor, code of `v`)" in lines[2]
    assert plain_page.means().endswith("\n\nMeasured with the code of `v`.\n")


def limit_of(**leads: tuple[str, float]) -> dict[str, Any]:
    return {
        "lead_by_data_set": {
            f"{data}.zip": {"over": over, "lead": lead} for data, (over, lead) in leads.items()
        }
    }


def test_tasks_on_which_nasoa_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    first = limit_of(x=("loop", -0.1), y=("linear", -0.0004), z=("linear", 0.1))
    second = limit_of(x=("linear", -0.02), y=("loop", -0.003), z=("linear", 0.1))
    use(monkeypatch, {"limits": {"15": first, "45": second}})
    assert plain_page.behind() == (
        "On 2 of these 3 tasks the best plain program is ahead of nasoa: x by 0.100 at 15 s (loop) "
        "and 0.020 at 45 s (linear); y by 0.003 at 45 s (loop)."
    )
    use(monkeypatch, {"limits": {"15": limit_of(z=("linear", 0.1))}})
    assert plain_page.behind() == "On none of these 1 tasks a plain program is ahead of nasoa."


def test_the_plot_of_accuracies_has_an_axis_that_shows_their_differences() -> None:
    means = {"nasoa": 0.84, "loop": 0.74, "linear": 0.8, "finetune": 0.79}
    found = {"limits": {limit: {"mean_accuracy": means} for limit in ("15", "120")}}
    root = ET.fromstring(plain_page.PLOT.draw(found))
    texts = [e.text for e in root.iter() if e.tag.endswith("text")]
    assert {"0.7", "0.85", *plain_page.NAMES.values()} <= set(texts)
    assert "0" not in texts


def test_runs_below_the_linear_classifier_are_counted_by_model_and_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [
        {
            "data": f"{number}.zip",
            "limit_s": 15.0,
            "seed": 0,
            "model": "m",
            "lead": lead,
            "lead_standard_error": 0.01,
            "cpu": "a processor",
            "code_version": "v",
        }
        for number, lead in enumerate((0.05, -0.01, -0.04))
    ]
    use(monkeypatch, not_below_linear.summarise(rows))
    assert (
        plain_page.not_below_linear().splitlines()[-1] == "| m | 15 s | 3 | +0.000 | -0.040 | 1 |"
    )
