"""Mean effects by key, shrunk towards zero."""

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
    """Effects by key with their numbers of rows; drops the least recently updated keys."""

    def __init__(self, capacity: int = MOST_KEYS) -> None:
        self.capacity = capacity
        self._effects: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._effects)

    def update(self, key: bytes, residual: float) -> None:
        """Update an effect by a residual.

        The n-th row moves the effect by 1 / (n + 2) of the residual, so an effect is a mean that is
        shrunk as if by two rows without effect.
        """
        effect, count = self.get(key)
        self._effects[key] = (effect + residual / (count + 1.0 + SHRINKAGE), count + 1.0)
        self._effects.move_to_end(key)
        if len(self._effects) > self.capacity:
            self._effects.popitem(last=False)

    def get(self, key: bytes) -> tuple[float, float]:
        """Return the effect and the number of rows of a key; zeros if it is unknown."""
        return self._effects.get(key, (0.0, 0.0))

    def state(self, width: int) -> State:
        """Return the complete state as arrays; `width` is the length of a key in bytes."""
        keys = np.frombuffer(b"".join(self._effects), dtype=np.uint8).reshape(-1, width)
        return {
            "keys": keys.copy(),
            "effects": np.array(list(self._effects.values())).reshape(-1, 2),
            "capacity": np.array(self.capacity),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Tally:
        """Restore the tally that `state()` was called on."""
        tally = cls(int(state["capacity"]))
        for key, (effect, count) in zip(state["keys"], state["effects"].tolist(), strict=True):
            tally._effects[key.tobytes()] = (effect, count)
        return tally
