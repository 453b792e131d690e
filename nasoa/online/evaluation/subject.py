"""Subjects of an evaluation: they predict and learn the rows of a table.

The default predictor is evaluated as it is used in production: on nasoa's own records, an
`ExperiencePredictor`, which encodes them itself and starts from the default formula; on any other
table, a `SafePredictor` on its columns, which has no expectation for a run without experience.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nasoa.online.evaluation.catalogue import make
from nasoa.online.evaluation.configuration import configuration_keys
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.layout import Array
from nasoa.online.mixture.protocol import RowPredictor
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.fallback import BestOnAverage
from nasoa.online.predictor.known_runs import KnownRuns, key
from nasoa.online.predictor.safe_predictor import SafePredictor
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.run_table import RunTable

Indices = NDArray[np.intp]

DEFAULT = "default"
BEST_ON_AVERAGE = "best_on_average"
RANDOM = "random"


class Subject(Protocol):
    """Predicts and learns rows of one table, addressed by their indices."""

    def predict(self, indices: Indices) -> Array:
        """Return `(n,)` current predictions; the largest is chosen."""

    def bounds(self, indices: Indices) -> Array | None:
        """Return `(n, 2)` bounds that cover 90 % of targets, or None without intervals."""

    def learn(self, indices: Indices) -> None:
        """Learn rows of one task, in order."""


class OfRows:
    """A predictor of rows, without an interval."""

    def __init__(self, predictor: RowPredictor, table: TaskTable) -> None:
        self._predictor = predictor
        self._table = table

    def predict(self, indices: Indices) -> Array:
        """See `Subject`."""
        return np.asarray(self._predictor.predict(self._table.rows[indices]))

    def bounds(self, indices: Indices) -> Array | None:
        """Return None: there are no intervals."""

    def learn(self, indices: Indices) -> None:
        """See `Subject`."""
        self._predictor.learn(self._table.rows[indices], self._table.targets[indices])


class OfColumns:
    """The default predictor on a table of any columns."""

    def __init__(self, predictor: SafePredictor, table: TaskTable) -> None:
        self._predictor = predictor
        self._table = table

    def predict(self, indices: Indices) -> Array:
        """See `Subject`."""
        return from_log_odds(self._predictor.expected(known_runs(self._table, indices)))

    def bounds(self, indices: Indices) -> Array | None:
        """See `Subject`."""
        found = self._predictor.intervals(known_runs(self._table, indices))
        return np.stack(found, axis=1)

    def learn(self, indices: Indices) -> None:
        """See `Subject`."""
        self._predictor.learn(known_runs(self._table, indices), self._table.targets[indices])


class OfRecords:
    """The predictor of fine-tunes on the project's own records."""

    def __init__(self, predictor: ExperiencePredictor, runs: RunTable, targets: Array) -> None:
        self._predictor = predictor
        self._runs = predictor.with_defaults(runs)
        self._targets = targets

    def predict(self, indices: Indices) -> Array:
        """See `Subject`."""
        return from_log_odds(self._predictor.expected(self._runs.take(indices)))

    def bounds(self, indices: Indices) -> Array | None:
        """See `Subject`."""
        return np.stack(self._predictor.intervals(self._runs.take(indices)), axis=1)

    def learn(self, indices: Indices) -> None:
        """See `Subject`."""
        self._predictor.learn_table(self._runs.take(indices), self._targets[indices])


class OnAverage:
    """The best on average; a configuration is the values of all columns except the group."""

    def __init__(self, table: TaskTable) -> None:
        self._average = BestOnAverage()
        self._table = table

    def predict(self, indices: Indices) -> Array:
        """See `Subject`."""
        return from_log_odds(self._average.expected(known_runs(self._table, indices)))

    def bounds(self, indices: Indices) -> Array | None:
        """Return None: there are no intervals."""

    def learn(self, indices: Indices) -> None:
        """See `Subject`."""
        runs = known_runs(self._table, indices)
        for number, target in enumerate(self._table.targets[indices].tolist()):
            self._average.learn(runs.at(number), target)


class Indifferent:
    """Predicts the same value for all rows, so that its choice is random."""

    def predict(self, indices: Indices) -> Array:
        """See `Subject`."""
        return np.zeros(len(indices))

    def bounds(self, indices: Indices) -> Array | None:
        """Return None: there are no intervals."""

    def learn(self, indices: Indices) -> None:
        """Do nothing: there is nothing to learn."""


def subject(
    name: str,
    table: TaskTable,
    seed: int = 0,
    *,
    without: Sequence[str] = (),
    falls_back: bool = True,
) -> Subject:
    """Create an untrained subject by name.

    Args:
        name: name of a predictor (`nasoa.online.evaluation.catalogue`), "best_on_average" or
            "random".
        table: table to predict.
        seed: random seed for all random choices.
        without: experts to leave out of the default predictor.
        falls_back: whether the default predictor may fall back on the best on average.

    Raises:
        UnknownName: there is no such predictor, or the package it needs is not installed.
    """
    if name == BEST_ON_AVERAGE:
        return OnAverage(table)
    if name == RANDOM:
        return Indifferent()
    if name != DEFAULT:
        return OfRows(make(name, table.layout, seed), table)
    if table.runs_of_nasoa is not None:
        own = ExperiencePredictor(seed, without=without, falls_back=falls_back)
        return OfRecords(own, table.runs_of_nasoa, table.targets)
    safe = SafePredictor(table.layout, seed=seed, without=without, falls_back=falls_back)
    return OfColumns(safe, table)


def known_runs(table: TaskTable, indices: Indices) -> KnownRuns:
    """Return rows of a table as runs without prior expectations."""
    rows = table.rows[indices]
    return KnownRuns(
        rows=rows,
        kinds=[key(configuration) for configuration in configuration_keys(table.layout, rows)],
        tasks=[group.tobytes() for group in table.groups[indices]],
        expected=np.zeros(len(indices)),
    )
