"""The regret that a store knows of: other fine-tunes of the same data did better in time."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

from nasoa.records import Experience


def known_regrets(experiences: Sequence[Experience]) -> list[float]:
    """Return the known regrets, in the order of the experiences that have one.

    A fine-tune's regret is the best accuracy that any regime would have had within its limit, minus
    its own. What other regimes would have done is not known, except for those that other tasks of
    the same data tried: the best accuracy of those that took no longer than this one's limit, on
    the same hardware and clock, gives a lower bound. It is 0 for the best of them. Tasks whose data
    nobody else fine-tuned on have no known regret.
    """
    groups: dict[tuple[str, ...], list[Experience]] = defaultdict(list)
    for e in experiences:
        task = e.task
        groups[task.fingerprint or task.data, task.hardware, task.clock].append(e)
    regrets = {}
    for members in groups.values():
        if len(members) < 2:
            continue
        ordered = sorted(members, key=lambda e: e.elapsed_s)
        seconds = [e.elapsed_s for e in ordered]
        best = list(accumulate((e.accuracy for e in ordered), max))
        for e in members:
            count = bisect_right(seconds, max(e.task.time_limit_s, e.elapsed_s))
            regrets[e.task.task_id] = best[count - 1] - e.accuracy
    return [regrets[e.task.task_id] for e in experiences if e.task.task_id in regrets]
