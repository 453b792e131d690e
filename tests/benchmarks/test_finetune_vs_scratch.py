"""Fine-tuning against training from scratch: which trainings are made, and what is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.finetune_vs_scratch import ARMS, best_lr, chosen_rows, main, parse, summarise
from benchmarks.finetune_vs_scratch_page import section

DIGITS = "sklearn:digits:classes=0,1,2:per_class=30"
SMALL = ["--iterations", "1", "--longer", "2", "--resolution", "32", "--batch-size", "16"]


class Pretended:
    """Trainings whose accuracies follow from their key: test favours what validation does not."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def __call__(self, key: dict[str, Any]) -> dict[str, Any]:
        best = {"fine-tuned": 0.01, "scratch": 0.1, "scratch, longer": 0.1}[key["arm"]]
        val = 0.9 if key["lr"] == best else 0.2
        row = {**key, "val_accuracy": val, "accuracy": 1.0 - val, "step_clock_s": 30.0}
        if key not in self.made:
            self.made.append(key)
        return {**row, "ended": "iterations"}


def test_rates_are_chosen_on_validation_at_the_first_seed() -> None:
    trainings = Pretended()
    asked = parse(["x", "--networks", "ET-NAS-A", "--iterations", "70"])
    rows = list(chosen_rows(asked, [("x", "ET-NAS-A")], trainings))
    rates = list(zip(ARMS, (0.01, 0.1, 0.1), strict=True))
    assert [(row["arm"], row["lr"], row["seed"]) for row in rows] == [
        (arm, lr, seed) for seed in (0, 1, 2) for arm, lr in rates
    ]
    assert [row["iterations"] for row in rows[:3]] == [70, 70, 120]
    # Two arms at three rates, and the longer one; then each arm once for each other seed.
    assert len(trainings.made) == 2 * 3 + 1 + 2 * 3


def test_a_rate_needs_all_trainings_and_the_lowest_of_equals_wins() -> None:
    rows = [{"lr": lr, "val_accuracy": val} for lr, val in ((0.01, 0.5), (0.03, 0.5), (0.1, 0.4))]
    assert best_lr(rows) == 0.01
    assert best_lr([*rows, None]) is None


def test_the_gain_is_over_data_sets_with_all_arms() -> None:
    values = {"x": (0.9, 0.5, 0.6), "y": (0.7, 0.6, 0.8)}
    rows = [
        {
            "data": data,
            "network": "n",
            "arm": arm,
            "lr": 0.1,
            "iterations": 5,
            "seed": seed,
            "accuracy": accuracy + 0.1 * (seed - 0.5),
            "step_clock_s": 60.0,
            "ended": "iterations",
        }
        for data, accuracies in values.items()
        for arm, accuracy in zip(ARMS, accuracies, strict=True)
        for seed in (0, 1)
    ]
    partial = {**rows[0], "data": "z"}
    found = summarise([*rows, partial])["n"]
    assert found["data"]["x"]["scratch"]["accuracy"] == pytest.approx(0.5)
    assert found["data"]["x"]["scratch"]["std"] == pytest.approx(0.1 / 2**0.5, abs=1e-4)
    assert found["data"]["x"]["scratch"]["minutes"] == 1.0
    assert found["gain"]["scratch"]["mean"] == pytest.approx(0.25)
    assert found["gain"]["scratch, longer"] == {
        "mean": pytest.approx(0.1),
        "interval_90": (pytest.approx(-0.1), pytest.approx(0.3)),
        "data_sets": 2,
        "ahead_on": 1,
    }


@pytest.mark.usefixtures("one_core")
def test_trainings_are_made_once_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, output = tmp_path / "runs.jsonl", tmp_path / "result.json"
    settings = [DIGITS, "--networks", "ET-NAS-A", "--lrs", "0.01", "--seeds", "0", *SMALL]
    arguments = [*settings, "--runs", str(runs), "--output", str(output)]
    assert main([*arguments, "--report"]) == 2
    assert "leave out --report" in capsys.readouterr().err
    assert main(arguments) == 0
    finished = runs.read_text()
    assert main([*arguments, "--report"]) == 0
    assert runs.read_text() == finished
    found = json.loads(output.read_text())
    arms = found["networks"]["ET-NAS-A"]["data"][DIGITS]
    assert [cell["iterations"] for cell in arms.values()] == [1, 1, 2]
    assert {tuple(cell["ended"]) for cell in arms.values()} == {("iterations",)}
    assert len(found["runs"]) == 3
    assert all(0.0 <= row["accuracy"] <= 1.0 for row in found["runs"])
    text = section(found)
    assert f"| {DIGITS} | ET-NAS-A | scratch, longer | 0.01 |" in text
    assert "| CUB-Birds | ResNet50 | 44.6 in 35 min | 74.9 in 21 min | +30.3 |" in text


def test_data_that_cannot_be_read_gets_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "missing.zip"), "--runs", str(tmp_path / "runs.jsonl")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "missing.zip" in error
    assert error.count("\n") == 1
