"""Means by task and by configuration, shrunk to what is known of all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.layout import Array, Layout, State, join, part
from nasoa.online.predictors.protocol import UNKNOWN, RowPredictor

MOST_KEYS = 8192
SHRINKAGE = 2.0


def configuration_key(layout: Layout, row: Array) -> bytes:
    """Equal for two `(d,)` rows if, and only if, all columns but the group are equal."""
    # -0.0 and 0.0 are one number, and so are all NaN.
    return (np.nan_to_num(row[list(layout.configuration)], nan=-9e99) + 0.0).tobytes()


class Tally:
    """An effect by key, and how many rows it rests on; the keys unused for longest go."""

    def __init__(self, capacity: int = MOST_KEYS) -> None:
        self.capacity = capacity
        self._effects: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._effects)

    def move(self, key: bytes, residual: float) -> None:
        """Move an effect towards what was left over beside it.

        The n-th row moves it by 1 / (n + 2) of that, so an effect is a mean, shrunk as by two rows
        of no effect.
        """
        effect, count = self.get(key)
        self._effects[key] = (effect + residual / (count + 1.0 + SHRINKAGE), count + 1.0)
        self._effects.move_to_end(key)
        if len(self._effects) > self.capacity:
            self._effects.popitem(last=False)

    def get(self, key: bytes) -> tuple[float, float]:
        """Effect and number of rows under a key, zeros for one that is unknown."""
        return self._effects.get(key, (0.0, 0.0))

    def state(self, width: int) -> State:
        """Everything there is to keep, as arrays; `width` is the bytes of a key."""
        keys = np.frombuffer(b"".join(self._effects), dtype=np.uint8).reshape(-1, width)
        return {
            "keys": keys.copy(),
            "effects": np.array(list(self._effects.values())).reshape(-1, 2),
            "capacity": np.array(self.capacity),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Tally:
        """The tally that `state()` was called on."""
        tally = cls(int(state["capacity"]))
        for key, (effect, count) in zip(state["keys"], state["effects"].tolist(), strict=True):
            tally._effects[key.tobytes()] = (effect, count)
        return tally


class EffectsPredictor(RowPredictor):
    """Running mean by task and configuration: the level, and what task and configuration add.

    A configuration is the set of all columns but the group. Each effect moves towards what a row
    has left over beside all of them as known then.
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
        """The mean target, as if one run of 1/2 had been there before."""
        return self._sum / (self.count + 1.0)

    def group_key(self, row: Array) -> bytes:
        """What `groups` counts a `(d,)` row under."""
        group = self.layout.group
        return np.float64(0.0 if group is None else row[group]).tobytes()

    def parts(self, row: Array) -> tuple[float, float, float, float]:
        """Effect and number of runs of the task, then of the configuration, of a `(d,)` row."""
        group, configuration = self.group_key(row), configuration_key(self.layout, row)
        return (*self._group_effect(group), *self.configurations.get(configuration))

    def _group_effect(self, key: bytes) -> tuple[float, float]:
        return (0.0, 0.0) if self.layout.group is None else self.groups.get(key)

    def _predict(self, rows: Array) -> Array:
        found = [self.parts(row) for row in rows]
        return np.array([self.level + of_group + own for of_group, _, own, _ in found])

    def _learn(self, row: Array, target: float) -> None:
        of_group, _, own, _ = self.parts(row)
        residual = target - self.level - of_group - own
        self.groups.move(self.group_key(row), residual)
        self.configurations.move(configuration_key(self.layout, row), residual)
        self._sum += target
        self.count += 1.0

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {
            "layout": self.layout.state(),
            "groups": self.groups.state(8),
            "configurations": self.configurations.state(8 * len(self.layout.configuration)),
        }
        return {**join(parts), "own": np.array([self.seed, self._sum, self.count])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The predictor that `state()` was called on."""
        seed, total, count = state["own"].tolist()
        model = cls(Layout.from_state(part(state, "layout")), seed=int(seed))
        model._sum, model.count = total, count
        model.groups = Tally.from_state(part(state, "groups"))
        model.configurations = Tally.from_state(part(state, "configurations"))
        return model
