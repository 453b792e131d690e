"""The regime that was best on average: what a sceptic would choose without any predictor.

Regimes of one kind (the same model, frozen stages, batch size, schedule, cached features, head to
start from and statistics that adapt, a learning rate of the same third of a decade and a resolution
of the same half octave) have brought so much more, or less, than the table of
defaults expected, on average over all fine-tunes. What a kind has never been tried for is expected
to bring what the table of defaults says. Lengths follow from time limits, so they are no part of
the kind; the table of defaults speaks for them.

Means are on the scale of log-odds and shrunk to what is known of all: `n` runs count as `n` beside
two of no effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.effects import Tally
from nasoa.online.mixture.layout import Array, State, join, part
from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.regime_table import RegimeTable

THIRDS = 3
OCTAVE_PARTS = 2
MOST_SURPRISE = 4.0  # log-odds; one run that failed must not condemn a kind
LEVEL_SHRINKAGE = 2.0
_FACTOR = 1_000_003


def kinds(table: RegimeTable) -> NDArray[np.int64]:
    """`(n,)` a number for each row, equal for regimes of one kind."""
    columns = (
        1e6 * table.source_accuracy,
        table.num_params,
        table.macs,
        THIRDS * np.log10(table.lr),
        table.frozen_stages,
        table.batch_size,
        table.cached,
        table.schedule.astype(np.float64),
        table.fitted_head,
        table.adapts_frozen_bn + 2.0 * table.adapts_trained_bn,
        OCTAVE_PARTS * np.log2(table.zoom),
    )
    found = np.zeros(len(table), dtype=np.int64)
    for column in columns:
        found = found * _FACTOR + np.rint(column).astype(np.int64)
    return found


class AverageRegime:
    """Expects what the table of defaults says and what kind and task brought beyond it."""

    def __init__(self) -> None:
        self._total = 0.0
        self._count = 0.0
        self._tasks = Tally()
        self._kinds = Tally()

    @property
    def level(self) -> float:
        """What all runs brought beyond the defaults, on average; log-odds."""
        return self._total / (self._count + LEVEL_SHRINKAGE)

    def expected(self, table: RegimeTable, tasks: Sequence[str], defaults: Array) -> Array:
        """`(n,)` log-odds.

        Args:
            table: `n` regimes.
            tasks: names, one for each, or one for all.
            defaults: `(n,)` `DefaultPrior.log_odds` of the table.
        """
        distinct, rows = np.unique(kinds(table), return_inverse=True)
        own = np.array([self._kinds.get(kind.tobytes())[0] for kind in distinct])
        of_task = np.array([self._tasks.get(_key(task))[0] for task in tasks])
        return np.asarray(defaults + self.level + of_task + own[rows], dtype=np.float64)

    def learn(self, table: RegimeTable, task: str, defaults: Array, accuracy: float) -> None:
        """Count one run: a table of one row and what it reached."""
        surprise = float(log_odds(accuracy) - defaults[0])
        bounded = min(max(surprise, -MOST_SURPRISE), MOST_SURPRISE)
        known = float(self.expected(table, [task], defaults)[0] - defaults[0])
        self._tasks.move(_key(task), bounded - known)
        self._kinds.move(kinds(table)[0].tobytes(), bounded - known)
        self._total += bounded
        self._count += 1.0

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {"tasks": self._tasks.state(8), "kinds": self._kinds.state(8)}
        return {**join(parts), "level": np.array([self._total, self._count])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> AverageRegime:
        """The one that `state()` was called on."""
        average = cls()
        average._total, average._count = state["level"].tolist()
        average._tasks = Tally.from_state(part(state, "tasks"))
        average._kinds = Tally.from_state(part(state, "kinds"))
        return average


def _key(task: str) -> bytes:
    """Eight bytes of a task's name."""
    return blake2b(task.encode(), digest_size=8).digest()
