"""Networks that the package does not have yet, beside those that it has at the same step time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import product

import numpy as np

from benchmarks.run_log import Row
from benchmarks.transfer.judged import GROUPS, Differences, Judged, summarised
from benchmarks.transfer.plan import LIMIT_RESOLUTION, MEASURES, Measure, sets_of
from nasoa.offline.pareto import non_dominated_rank


def newcomers(judged: Sequence[Judged]) -> list[Row]:
    """Compare each network whose name the package lacks with the front of the package.

    Its accuracy on a data set is compared with that of the front at its own step time: the packaged
    networks that no other beats in step time and mean accuracy are interpolated over the logarithm
    of the step time, data set by data set, so the differences are paired. A network that is faster
    than all of them is compared with the fastest, and one that is slower with the slowest, which is
    the best.

    `joins` is whether the mean difference is at least .01 and its interval lies above 0; for other
    fields see `judged.summarised`.
    """
    today = [one for one in judged if one.is_packaged]
    names = {one.name for one in today}
    rows = []
    for one in judged:
        if one.name in names:
            continue
        found = {
            (group, measure): _beside(one, today, measure, group)
            for group, measure in product(GROUPS, MEASURES)
        }
        row: Row = {"label": one.weights.label, "model": one.name}
        row |= summarised(found, "joins")
        if "joins" in row:
            row["joins"] = row["joins"] and row["interval"][0] > 0.0
        rows.append(row)
    return rows


def packaged_front(
    judged: Sequence[Judged], measure: Measure, names: Sequence[str]
) -> list[Judged]:
    """Return the networks that no other beats in step time and mean accuracy, fastest first.

    There are none until all of the networks are measured: a front without some of them is too easy
    to beat.

    Args:
        judged: the networks.
        measure: the measure, at whose resolution steps are timed.
        names: the data sets.
    """
    resolution = step_resolution(measure)
    found = [
        (one.steps_ms[resolution], -mean, one)
        for one in judged
        if resolution in one.steps_ms and (mean := one.mean(measure, names)) is not None
    ]
    if len(found) < len(judged):
        return []
    points = np.array([(step, error) for step, error, _ in found]).reshape(len(found), 2)
    ranks = non_dominated_rank(points).tolist()
    front = [member for member, rank in zip(found, ranks, strict=True) if rank == 0]
    return [one for _, _, one in sorted(front, key=lambda member: member[:2])]


def step_resolution(measure: Measure) -> int:
    """Return the resolution at which steps are compared: that of the measure, if it has one."""
    return LIMIT_RESOLUTION if measure.kind == "limit" else measure.size


def _beside(one: Judged, today: Sequence[Judged], measure: Measure, group: str) -> Differences:
    """Return the lead of a network over the front on each data set, the mean over its seeds."""
    names, resolution = sets_of(measure)[group], step_resolution(measure)
    front = packaged_front(today, measure, names)
    if resolution not in one.steps_ms or not front:
        return {}
    time = math.log(one.steps_ms[resolution])
    times = [math.log(other.steps_ms[resolution]) for other in front]
    own = one.accuracies[measure]
    found = {}
    for name in names:
        others = [other.accuracies[measure][name] for other in front]
        if name not in own or any(other.keys() != own[name].keys() for other in others):
            continue
        found[name] = statistics.fmean(
            accuracy - float(np.interp(time, times, [other[seed] for other in others]))
            for seed, accuracy in own[name].items()
        )
    return found
