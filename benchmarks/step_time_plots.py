"""Plots of published accuracy against measured times, as in Figures 4, 5 and 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.search_report import standalone
from benchmarks.step_time_page import PLOTS
from nasoa.report.accuracy_chart import TimedModel, accuracy_against_time

SIZE = (640, 440)


def timed_models(networks: Sequence[Mapping[str, Any]], measure: str) -> list[TimedModel]:
    """Return the networks with their published accuracy and the median of a measured time."""
    return [
        TimedModel(
            own["name"], own["top1"] / 100, own[measure]["median"], own["series"] == "ET-NAS"
        )
        for own in networks
    ]


def write_plots(found: Mapping[str, Any], folder: Path) -> None:
    """Draw published accuracy against our training step and inference.

    Args:
        found: the result of `benchmarks/step_time.py`.
        folder: where the files are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, (measure, timed, _figures) in PLOTS.items():
        drawn = accuracy_against_time(
            timed_models(found["networks"], measure),
            SIZE,
            title=f"Published ImageNet accuracy against {timed} time",
            timed=f"{timed} of {found['batch_size']} images",
            y_title="ImageNet accuracy",
        )
        (folder / file).write_text(standalone(drawn), encoding="utf-8")
