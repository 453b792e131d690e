"""Rows for the mixture: the encoder's numbers, then the model's family and the task as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.layout import Array, Layout, State
from nasoa.online.predictor.regime_encoding import FEATURE_NAMES, FeatureEncoder
from nasoa.online.regimes.regime_table import RegimeTable

NUM_NUMBERS = len(FEATURE_NAMES)
FAMILY, TASK = NUM_NUMBERS, NUM_NUMBERS + 1
ROW_LAYOUT = Layout(num_columns=NUM_NUMBERS + 2, categories=(FAMILY, TASK), group=TASK)


class Codes:
    """Names as whole numbers, from 0 in the order in which they were learned.

    >>> codes = Codes()
    >>> codes.learn("cats"), codes.learn("dogs"), codes.learn("cats"), codes.get("birds")
    (0, 1, 0, 2)
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._codes = {name: code for code, name in enumerate(names)}

    def learn(self, name: str) -> int:
        """The code of a name, its own from now on."""
        return self._codes.setdefault(name, len(self._codes))

    def get(self, name: str) -> int:
        """The code of a name; that of the next new one if it is unknown."""
        return self._codes.get(name, len(self._codes))

    def state(self) -> NDArray[np.uint8]:
        """The names in order, as bytes of JSON."""
        return np.frombuffer(msgspec.json.encode(list(self._codes)), dtype=np.uint8).copy()

    @classmethod
    def from_state(cls, state: NDArray[Any]) -> Codes:
        """The codes that `state()` was called on.

        Raises:
            InvalidInput: these are not the bytes of names.
        """
        try:
            return cls(msgspec.json.decode(state.astype(np.uint8).tobytes(), type=list[str]))
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"Expected names as JSON in a predictor's state: {error}") from None


class ExperienceRows:
    """Tables of regimes as rows of `ROW_LAYOUT`."""

    def __init__(self) -> None:
        self._encoder = FeatureEncoder()
        self._families = Codes()
        self._tasks = Codes()

    def encode(self, table: RegimeTable, tasks: Sequence[str], defaults: Array) -> Array:
        """`(n, d)`; families and tasks that were never learned have codes that nothing else has.

        Args:
            table: `n` regimes.
            tasks: names, one for each, or one for all.
            defaults: `(n,)` `DefaultPrior.log_odds` of the table.
        """
        numbers = self._encoder.encode_table(table, defaults)
        families, places = np.unique(table.family, return_inverse=True)
        family = np.array([self._families.get(str(name)) for name in families])[places]
        task = np.array([self._tasks.get(name) for name in tasks])
        codes = [family, np.broadcast_to(task, family.shape)]
        return np.concatenate([numbers, np.stack(codes, axis=1)], axis=1)

    def admit(self, table: RegimeTable, tasks: Sequence[str]) -> None:
        """Give families and tasks that are about to be learned codes of their own."""
        for name in table.family:
            self._families.learn(str(name))
        for name in tasks:
            self._tasks.learn(name)

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {"families": self._families.state(), "tasks": self._tasks.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ExperienceRows:
        """The rows that `state()` was called on."""
        rows = cls()
        rows._families = Codes.from_state(state["families"])
        rows._tasks = Codes.from_state(state["tasks"])
        return rows
