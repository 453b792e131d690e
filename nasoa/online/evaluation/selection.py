"""Regret of choosing: each task in turn, the choice before anything of the task is seen.

The candidates of a task are its rows. After the choice some random ones, the feedback, are
revealed and learned, and the next task comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nasoa.online.mixture.effects import configuration_key
from nasoa.online.mixture.layout import Array, Layout
from nasoa.online.predictor.choice_record import regret_of

if TYPE_CHECKING:
    from nasoa.online.evaluation.task_table import TaskTable


class Chooser(Protocol):
    """What chooses among candidates, and learns what came of some."""

    def scores(self, rows: Array) -> Array:
        """`(n, d)` candidates of one task -> `(n,)`, the greatest is chosen."""

    def learn_task(self, rows: Array, targets: Array) -> None:
        """`(m, d)` and `(m,)`: runs of the task that was chosen for."""


class BestOnAverage:
    """Chooses the configuration with the best mean target so far; knows only what it has seen.

    A configuration is the set of all columns but the group. Where none of the candidates was ever
    seen, all are alike.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._seen: dict[bytes, tuple[float, int]] = {}

    def scores(self, rows: Array) -> Array:
        """Mean target of each candidate's configuration, below all of them where unknown."""
        found = [self._seen.get(configuration_key(self.layout, row)) for row in rows]
        return np.array([-1.0 if seen is None else seen[0] / seen[1] for seen in found])

    def learn_task(self, rows: Array, targets: Array) -> None:
        """Count the runs under their configurations."""
        for row, target in zip(rows, targets.tolist(), strict=True):
            key = configuration_key(self.layout, row)
            total, count = self._seen.get(key, (0.0, 0))
            self._seen[key] = (total + target, count + 1)


class Indifferent:
    """Chooses at random."""

    def scores(self, rows: Array) -> Array:
        """All alike."""
        return np.zeros(len(rows))

    def learn_task(self, rows: Array, targets: Array) -> None:
        """There is nothing to learn."""


def mean_regret(
    fresh: Callable[[], Chooser], table: TaskTable, *, feedback: int, draws: int, seed: int
) -> float:
    """Best target of a task minus the chosen one's, averaged over tasks and draws.

    Args:
        fresh: makes a chooser that knows nothing; each draw gets one.
        table: the tasks, in the order in which they come.
        feedback: rows of a task that are revealed afterwards, at most all.
        draws: how many times to go through the tasks, each with other feedback.
        seed: of the feedback; all choosers with one seed get the same.
    """
    members = [np.flatnonzero(table.groups == group) for group in range(table.num_groups)]
    regrets = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        chooser = fresh()
        for places in members:
            scores = chooser.scores(table.rows[places])
            regrets.append(regret_of(scores, table.targets[places]))
            revealed = rng.permutation(places)[:feedback]
            chooser.learn_task(table.rows[revealed], table.targets[revealed])
    return float(np.mean(regrets))
