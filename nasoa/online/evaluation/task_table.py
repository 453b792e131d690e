"""A table of finished runs as rows and targets for predictors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nasoa.data.table import Table
from nasoa.errors import DataError
from nasoa.online.mixture.layout import Array, Layout
from nasoa.online.regimes.run_table import RunTable


@dataclass(frozen=True)
class TaskTable:
    """Runs of tasks.

    `rows`: `(n, d)` as described by `layout`; `targets`: `(n,)` in [0, 1]; `groups`: `(n,)` number
    of each row's task, from 0 in order of first appearance; `runs`: `(n,)` number of the training
    that each row evaluates; `num_duplicates`: number of rows identical to an earlier one;
    `runs_of_nasoa`: the same rows as a `RunTable`, if they are nasoa's own records.
    """

    layout: Layout
    rows: Array
    targets: Array
    groups: NDArray[np.int64]
    runs: NDArray[np.int64]
    num_duplicates: int
    runs_of_nasoa: RunTable | None = None

    def take(self, indices: NDArray[np.intp]) -> TaskTable:
        """Return the runs at these indices, which must include runs of every task."""
        own = self.runs_of_nasoa
        return replace(
            self,
            rows=self.rows[indices],
            targets=self.targets[indices],
            groups=self.groups[indices],
            runs=self.runs[indices],
            runs_of_nasoa=None if own is None else own.take(indices),
        )

    @property
    def num_groups(self) -> int:
        """Number of tasks."""
        return int(self.groups.max()) + 1


def task_table(
    table: Table, target: str, group: str, *, run: str = "", in_percent: bool = False
) -> TaskTable:
    """Convert a table of runs: all columns except target and run become features.

    The group becomes a categorical feature. Columns that the file hides from predictors are left
    out.

    Args:
        table: runs as read from a file.
        target: column to predict.
        group: column that identifies the task.
        run: column that identifies the training, if several rows may belong to one. By default the
            one named in the file; without one, each row is a separate training.
        in_percent: whether the target is in percent, to be divided by 100.

    Raises:
        UnknownName: a column does not exist.
        DataError: the target is not always in [0, 1], a number is infinite, a group or run is
            empty, there is only one group, one column is given for two roles, or there is no other
            column.
    """
    run = run or table.run
    roles = {"target": target, "group": group, **({"run": run} if run else {})}
    for name in roles.values():
        table.require(name)
    for one, other in combinations(roles, 2):
        if roles[one] == roles[other]:
            raise DataError(
                f"expected two columns for {one} and {other}, got {roles[one]!r} for both; choose "
                "another"
            )
    runs = _runs(table, run) if run else np.arange(table.num_rows)
    table = table.without({*table.hidden_beside(target, group), *([run] if run else [])})
    targets = _targets(table, target, in_percent)
    names = [name for name in table.names if name != target]
    if len(names) < 2:
        raise DataError(
            f"expected columns besides {target!r} and {group!r} in {table.source}, but there are "
            "none; add the columns that distinguish runs"
        )
    rows = np.empty((table.num_rows, len(names)))
    categories = []
    for column, name in enumerate(names):
        if name in table.texts or name == group:
            rows[:, column] = _codes(table, name)
            categories.append(column)
        else:
            rows[:, column] = _finite_or_missing(table, name)
    layout = Layout(num_columns=len(names), categories=tuple(categories), group=names.index(group))
    groups = rows[:, names.index(group)]
    _check_groups(table, group, groups)
    everything = np.nan_to_num(np.column_stack([rows, targets]), nan=-9e99)
    num_duplicates = len(rows) - len(np.unique(everything, axis=0))
    return TaskTable(layout, rows, targets, groups.astype(np.int64), runs, num_duplicates)


def _runs(table: Table, name: str) -> NDArray[np.int64]:
    """Return the `(n,)` numbers of trainings."""
    codes = _codes(table, name)
    empty = np.flatnonzero(np.isnan(codes))
    if len(empty):
        raise DataError(
            f"expected the training of every row in column {name!r} of {table.source}, but row "
            f"{empty[0] + 1} has none; fill it in"
        )
    return codes.astype(np.int64)


def _targets(table: Table, name: str, in_percent: bool) -> Array:
    """Return the `(n,)` targets in [0, 1]."""
    where = f"target {name!r} of {table.source}"
    if name in table.texts:
        cells = table.texts[name]
        index = next(i for i, cell in enumerate(cells) if cell and not _is_number(cell))
        raise DataError(
            f"expected numbers in the {where}, but row {index + 1} has {cells[index]!r}; choose "
            "another column or correct the row"
        )
    targets = table.numbers[name]
    wrong = np.flatnonzero(~np.isfinite(targets))
    if len(wrong):
        found = "no number" if np.isnan(targets[wrong[0]]) else str(targets[wrong[0]])
        raise DataError(
            f"expected a finite number in every row of the {where}, but row {wrong[0] + 1} has "
            f"{found}; remove such rows ({len(wrong)})"
        )
    if in_percent:
        return _from_percent(targets, where)
    outside = np.flatnonzero((targets < 0.0) | (targets > 1.0))
    if len(outside):
        is_percent = targets.min() >= 0.0 and targets.max() <= 100.0
        raise DataError(
            f"expected the {where} to be in [0, 1], but row {outside[0] + 1} has "
            f"{targets[outside[0]]:g}, and it goes from {targets.min():g} to {targets.max():g}; "
            + ("is it in percent? --percent divides it by 100" if is_percent else "scale it")
        )
    return targets


def _from_percent(targets: Array, where: str) -> Array:
    if targets.min() < 0.0 or targets.max() > 100.0:
        raise DataError(
            f"expected percent in the {where}, but it goes from {targets.min():g} to "
            f"{targets.max():g}; scale it"
        )
    if targets.max() <= 1.0:
        raise DataError(
            f"expected percent in the {where}, but it goes only up to {targets.max():g}; leave out "
            "--percent"
        )
    return targets / 100.0


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _codes(table: Table, name: str) -> Array:
    """Return `(n,)` codes in order of first appearance, NaN where empty."""
    known: dict[str | float, int] = {}
    codes = np.full(table.num_rows, np.nan)
    if name in table.texts:
        for index, cell in enumerate(table.texts[name]):
            if cell is not None:
                codes[index] = known.setdefault(cell, len(known))
    else:
        numbers = table.numbers[name]
        for index in np.flatnonzero(~np.isnan(numbers)).tolist():
            codes[index] = known.setdefault(float(numbers[index]), len(known))
    return codes


def _finite_or_missing(table: Table, name: str) -> Array:
    numbers = table.numbers[name]
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise DataError(
            f"expected finite numbers in column {name!r} of {table.source}, but row "
            f"{infinite[0] + 1} has {numbers[infinite[0]]}; leave the cell empty if it is unknown"
        )
    return numbers


def _check_groups(table: Table, name: str, groups: Array) -> None:
    empty = np.flatnonzero(np.isnan(groups))
    if len(empty):
        raise DataError(
            f"expected a group in every row of column {name!r} of {table.source}, but row "
            f"{empty[0] + 1} has none; fill it in"
        )
    if groups.max() < 1:
        raise DataError(
            f"expected at least 2 groups in column {name!r} of {table.source}, but all rows have "
            "the same one; choose the column that identifies the task"
        )
