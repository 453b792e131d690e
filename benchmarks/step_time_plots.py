"""Plots of published accuracy against measured times, as in Figures 4, 5 and 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def plots(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the plots of published accuracy against our training step and inference, by file.

    Args:
        found: the result of `benchmarks/step_time.py`.
    """
    drawn = {
        file: accuracy_against_time(
            timed_models(found["networks"], measure),
            SIZE,
            title=f"Published ImageNet accuracy against {timed} time",
            timed=f"{timed} of {found['batch_size']} images",
            y_title="ImageNet accuracy",
        )
        for file, (measure, timed, _figures) in PLOTS.items()
    }
    return {file: standalone(svg) for file, svg in drawn.items()}
