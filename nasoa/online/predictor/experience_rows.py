"""A table of runs as the predictor needs it.

Its rows are the encoder's numbers, then the model's family and the task as codes.
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
    """Tables of runs as a predictor with `ROW_LAYOUT` needs them."""

    def __init__(self) -> None:
        self._families = Codes()
        self._tasks = Codes()

    def known(self, table: RunTable) -> KnownRuns:
        """What is known of runs with defaults before they are made.

        Families and tasks that were never learned have codes that nothing else has.
        """
        codes = [_coded(table.family, self._families), _coded(table.task, self._tasks)]
        tasks = [key(name.encode()) for name in table.task.names]
        return KnownRuns(
            rows=np.concatenate([encode(table), np.stack(codes, axis=1)], axis=1),
            kinds=[kind.tobytes() for kind in kinds(table)],
            tasks=[tasks[code] for code in table.task.codes.tolist()],
            expected=table.defaults,
        )

    def admit(self, table: RunTable) -> None:
        """Give families and tasks that are about to be learned codes of their own."""
        for name in table.family.values():
            self._families.learn(name)
        for name in table.task.values():
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


def _coded(column: Category, codes: Codes) -> Array:
    """`(n,)` the code of each row's name."""
    known = np.array([codes.get(name) for name in column.names], dtype=np.float64)
    return np.asarray(known[column.codes], dtype=np.float64)


def kinds(table: RunTable) -> NDArray[np.int64]:
    """`(n,)` a number for each run, equal for runs of one kind.

    The same model, frozen stages, batch size, schedule, cached features, head to start from and
    statistics that adapt, a learning rate of the same third of a decade and a resolution of the
    same half octave. Lengths follow from time limits, so they are no part of the kind; the default
    formula speaks for them.
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
