"""The latest rows and targets, in order, for models that are refitted from time to time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State


class History:
    """Up to `capacity` of the latest rows; `count` is the number of all rows ever appended.

    >>> history = History(1, capacity=2)
    >>> for number in (1.0, 2.0, 3.0):
    ...     history.append(np.array([number]), number / 10)
    >>> history.rows.tolist(), history.targets.tolist(), history.count
    ([[2.0], [3.0]], [0.2, 0.3], 3)
    """

    def __init__(self, width: int, capacity: int = 8192) -> None:
        self.capacity = capacity
        self.count = 0
        self._rows = np.empty((16, width))
        self._targets = np.empty(16)
        self._start = 0
        self._end = 0

    @property
    def rows(self) -> Array:
        """View of the `(n, d)` rows, oldest first."""
        return self._rows[self._start : self._end]

    @property
    def targets(self) -> Array:
        """View of the `(n,)` targets, oldest first."""
        return self._targets[self._start : self._end]

    def latest(self, count: int) -> tuple[Array, Array]:
        """Return views of up to `count` of the latest rows and targets, oldest first."""
        start = max(self._start, self._end - count)
        return self._rows[start : self._end], self._targets[start : self._end]

    def __len__(self) -> int:
        return self._end - self._start

    def append(self, row: Array, target: float) -> None:
        """Append a row; the oldest is dropped if the capacity is exceeded."""
        if self._end == len(self._rows):
            self._make_room()
        self._rows[self._end] = row
        self._targets[self._end] = target
        self._end += 1
        self._start = max(self._start, self._end - self.capacity)
        self.count += 1

    def _make_room(self) -> None:
        kept = len(self)
        rows = np.empty((2 * kept, self._rows.shape[1]))
        targets = np.empty(2 * kept)
        rows[:kept], targets[:kept] = self.rows, self.targets
        self._rows, self._targets = rows, targets
        self._start, self._end = 0, kept

    def state(self) -> State:
        """Return the full state as arrays."""
        return {
            "rows": self.rows.copy(),
            "targets": self.targets.copy(),
            "count": np.array(self.count),
            "capacity": np.array(self.capacity),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> History:
        """Restore a history from its `state()`."""
        count, width = state["rows"].shape
        history = cls(width, int(state["capacity"]))
        if count:
            history._rows, history._targets = np.array(state["rows"]), np.array(state["targets"])
        history._end = count
        history.count = int(state["count"])
        return history


class RefitSchedule:
    """When to refit: after the rows grew by the fraction `growth`.

    The step between refits is at least `at_least` and at most `at_most` rows. With `growth` 0.25
    the total work of all fits is about five times that of the last one.
    """

    def __init__(self, *, growth: float, at_least: int, at_most: int) -> None:
        self.growth = growth
        self.at_least = at_least
        self.at_most = at_most

    def is_due(self, count: int, fitted_at: int) -> bool:
        """Return whether a refit is due at `count` rows if the last one was at `fitted_at` rows."""
        step = max(self.at_least, min(self.at_most, int(self.growth * fitted_at)))
        return count >= fitted_at + step
