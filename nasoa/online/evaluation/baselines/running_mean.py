"""Means by task and by configuration, shrunk towards the overall mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.evaluation.configuration import KEY_BYTES, configuration_keys
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.protocol import UNKNOWN, RowPredictor
from nasoa.online.predictor.tally import Tally


class RunningMeanPredictor(RowPredictor):
    """Running mean by task and configuration: a level plus the effects of both.

    A configuration is the values of all columns except the group. Each effect is updated by the
    residual of a row given the level and both effects at that time.
    """

    def __init__(self, layout: Layout, *, seed: int = 0) -> None:
        super().__init__(layout)
        self.seed = seed
        self._sum = UNKNOWN
        self.count = 0.0
        self.groups = Tally()
        self.configurations = Tally()

    @property
    def level(self) -> float:
        """Mean target, including one initial run with target 1/2."""
        return self._sum / (self.count + 1.0)

    def parts(self, rows: Array) -> Array:
        """Return `(n, 4)`: effect and number of runs of the task, then of the configuration."""
        return np.array(
            [
                (*self.groups.get(group), *self.configurations.get(configuration))
                for group, configuration in zip(*self._keys(rows), strict=True)
            ]
        )

    def _keys(self, rows: Array) -> tuple[list[bytes], list[bytes]]:
        """Return the tally keys of the tasks and configurations of `(n, d)` rows."""
        group = self.layout.group
        # Without a group there is no task effect: nothing is counted under the empty key.
        tasks = [b""] * len(rows) if group is None else [x.tobytes() for x in rows[:, group]]
        return tasks, configuration_keys(self.layout, rows)

    def _predict(self, rows: Array) -> Array:
        found = self.parts(rows)
        predicted: Array = self.level + found[:, 0] + found[:, 2]
        return predicted

    def _learn(self, row: Array, target: float) -> None:
        (group,), (configuration,) = self._keys(row[None, :])
        of_group, own = self.groups.get(group)[0], self.configurations.get(configuration)[0]
        residual = target - self.level - of_group - own
        if group:
            self.groups.update(group, residual)
        self.configurations.update(configuration, residual)
        self._sum += target
        self.count += 1.0

    def state(self) -> State:
        """Return the full state as arrays."""
        parts = {
            "layout": self.layout.state(),
            "groups": self.groups.state(8),
            "configurations": self.configurations.state(KEY_BYTES),
        }
        return {**join(parts), "own": np.array([self.seed, self._sum, self.count])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Restore a predictor from its `state()`."""
        seed, total, count = state["own"].tolist()
        model = cls(Layout.from_state(part(state, "layout")), seed=int(seed))
        model._sum, model.count = total, count
        model.groups = Tally.from_state(part(state, "groups"))
        model.configurations = Tally.from_state(part(state, "configurations"))
        return model
