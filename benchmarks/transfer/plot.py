"""Training step time against transfer accuracy (Figure 4 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.transfer.plan import Measure
from benchmarks.transfer.runs import STEP_BATCH
from nasoa.offline.pareto import non_dominated_rank
from nasoa.report.axes import Axes, round_ticks


def plot_file(resolution: int) -> str:
    """Return the name of the plot at a resolution."""
    return f"transfer-{resolution}.svg"


def plot(document: Mapping[str, Any], resolution: int) -> str:
    """Draw step time against the mean accuracy of full fine-tunes on the known sets.

    Args:
        document: the result of the comparison.
        resolution: side in pixels of the images of both.
    """
    plotted = Measure("full", resolution)
    rows = [
        (
            row["label"],
            row["step_ms"][f"{resolution} px"],
            row["accuracy"]["known"][plotted.label],
        )
        for row in document["networks"]
    ]
    known = [(label, step, value) for label, step, value in rows if step and value]
    axes = Axes(720, 400)
    longest = 1.25 * max((step for _, step, _ in known), default=1.0)
    ranks = non_dominated_rank(np.array([(s, -v) for _, s, v in known]).reshape(len(known), 2))
    on_front = [one for one, rank in zip(known, ranks.tolist(), strict=True) if rank == 0]
    before, after = axes.draw(
        title=f"Transfer accuracy against training step time at {resolution} px",
        described=f"{len(known)} networks, {len(on_front)} on the front",
        x_title=f"training step in ms (batch {STEP_BATCH}, {resolution} px, one thread)",
        y_title="mean accuracy after fine-tuning",
        ticks=round_ticks(longest),
    )
    place = partial(_place, axes, longest)
    line = " ".join(
        f"{x:.1f},{y:.1f}" for x, y in map(place, sorted(on_front, key=lambda one: one[1]))
    )
    marks = [f'<polyline class="curve" points="{line}"/>']
    for one in known:
        x, y = place(one)
        kind = "dot" if one in on_front else "dot pale"
        marks.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
            f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{one[0]}</text>'
        )
    return before + "".join(marks) + after


def _place(axes: Axes, longest: float, one: tuple[str, float, float]) -> tuple[float, float]:
    return axes.x(one[1] / longest), axes.y(one[2])
