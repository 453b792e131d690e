"""Effects by key, each a mean that is shrunk to none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import State

MOST_KEYS = 8192
SHRINKAGE = 2.0


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
