"""Conversion of a table of runs to the arrays that the predictor takes.

A row consists of the encoded features, followed by the codes of the model's family and of the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.layout import Array, Layout, State
from nasoa.online.predictor.known_runs import KnownRuns, key
from nasoa.online.predictor.regime_encoding import FEATURE_NAMES, SCHEDULES, encode
from nasoa.online.regimes.category import Category
from nasoa.online.regimes.run_table import RunTable

NUM_NUMBERS = len(FEATURE_NAMES)
FAMILY, TASK = NUM_NUMBERS, NUM_NUMBERS + 1
THIRDS = 3
OCTAVE_PARTS = 2
_FACTOR = 1_000_003
ROW_LAYOUT = Layout(num_columns=NUM_NUMBERS + 2, categories=(FAMILY, TASK), group=TASK)


class Codes:
    """Names as integer codes, numbered from 0 in the order in which they were learned.

    >>> codes = Codes()
    >>> codes.learn("cats"), codes.learn("dogs"), codes.learn("cats"), codes.get("birds")
    (0, 1, 0, 2)
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._codes = {name: code for code, name in enumerate(names)}

    def learn(self, name: str) -> int:
        """Return the code of a name, assigning the next code to a new name."""
        return self._codes.setdefault(name, len(self._codes))

    def get(self, name: str) -> int:
        """Return the code of a name; for an unknown name, the next code."""
        return self._codes.get(name, len(self._codes))

    def state(self) -> NDArray[np.uint8]:
        """Return the names in order, as bytes of JSON."""
        return np.frombuffer(msgspec.json.encode(list(self._codes)), dtype=np.uint8).copy()

    @classmethod
    def from_state(cls, state: NDArray[Any]) -> Codes:
        """Restore the codes that `state()` was called on.

        Raises:
            InvalidInput: the bytes are not a JSON list of names.
        """
        try:
            return cls(msgspec.json.decode(state.astype(np.uint8).tobytes(), type=list[str]))
        except msgspec.MsgspecError as error:
            raise InvalidInput(
                f"expected names as JSON in a predictor's state, but they cannot be read: {error}"
            ) from None


class ExperienceRows:
    """Converts tables of runs for a predictor with `ROW_LAYOUT`."""

    def __init__(self) -> None:
        self._families = Codes()
        self._tasks = Codes()

    def encode_runs(self, table: RunTable) -> KnownRuns:
        """Return what is known of runs with `defaults` before they are made.

        All families and tasks that were never learned have the next unused code.
        """
        codes = [_coded(table.family, self._families), _coded(table.task, self._tasks)]
        tasks = [key(name.encode()) for name in table.task.names]
        return KnownRuns(
            rows=np.concatenate([encode(table), np.stack(codes, axis=1)], axis=1),
            kinds=[kind.tobytes() for kind in kinds(table)],
            tasks=[tasks[code] for code in table.task.codes.tolist()],
            expected=table.defaults,
        )

    def register(self, table: RunTable) -> None:
        """Assign codes to families and tasks that are about to be learned."""
        for name in table.family.values():
            self._families.learn(name)
        for name in table.task.values():
            self._tasks.learn(name)

    def state(self) -> State:
        """Return the complete state as arrays."""
        return {"families": self._families.state(), "tasks": self._tasks.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ExperienceRows:
        """Restore the object that `state()` was called on."""
        rows = cls()
        rows._families = Codes.from_state(state["families"])
        rows._tasks = Codes.from_state(state["tasks"])
        return rows


def _coded(column: Category, codes: Codes) -> Array:
    """Return the code of each row's name, `(n,)`."""
    known = np.array([codes.get(name) for name in column.names], dtype=np.float64)
    return np.asarray(known[column.codes], dtype=np.float64)


def kinds(table: RunTable) -> NDArray[np.int64]:
    """Return a number for each run, `(n,)`, equal for runs of the same kind.

    Runs of one kind have the same model, frozen stages, batch size, schedule, cached features,
    initial head and adapting statistics, a learning rate in the same third of a decade and a
    resolution in the same half octave. Lengths follow from time limits, so they are not part of the
    kind; the default formula accounts for them.
    """
    columns = (
        1e6 * table.source_accuracy,
        table.num_params,
        table.macs,
        THIRDS * np.log10(table.lr),
        table.frozen_stages,
        table.batch_size,
        table.cached_features,
        table.lr_schedule.codes_in(SCHEDULES),
        table.fitted_head,
        table.adapts_frozen_bn + 2.0 * table.adapts_trained_bn,
        OCTAVE_PARTS * np.log2(table.zoom),
    )
    found = np.zeros(len(table), dtype=np.int64)
    for column in columns:
        found = found * _FACTOR + np.rint(column).astype(np.int64)
    return found
