"""The layout of feature vectors: which columns are numbers, categories, and the group.

A row is a vector of floats. A number is stored as it is, NaN if it is missing; a category is stored
as its code, an integer from 0 in order of first appearance. One of the categories may be the task,
the group of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]
State = dict[str, NDArray[Any]]
MOST_COLUMNS = 100_000


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Columns of a feature vector.

    `num_columns`: `d`; `categories`: ascending indices of the columns with codes; `group`: the one
    of these that identifies the task of a row, or None.
    """

    num_columns: int
    categories: tuple[int, ...] = ()
    group: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.num_columns <= MOST_COLUMNS:
            raise InvalidInput(
                f"Expected 1 to {MOST_COLUMNS} columns but there are {self.num_columns}"
            )
        bounds = (-1, *self.categories, self.num_columns)
        if any(column >= following for column, following in pairwise(bounds)):
            raise InvalidInput(
                f"Expected categories to be ascending column indices below {self.num_columns} but "
                f"they were {self.categories}"
            )
        if self.group is not None and self.group not in self.categories:
            raise InvalidInput(f"Expected the group, column {self.group}, to be a category")

    @property
    def numbers(self) -> tuple[int, ...]:
        """Indices of the numeric columns."""
        return tuple(i for i in range(self.num_columns) if i not in self.categories)

    @property
    def configuration(self) -> tuple[int, ...]:
        """Indices of all columns except the group."""
        return tuple(i for i in range(self.num_columns) if i != self.group)

    def state(self) -> State:
        """Return the full state as arrays."""
        return {
            "num_columns": np.array(self.num_columns),
            "categories": np.array(self.categories, dtype=np.int64),
            "group": np.array(-1 if self.group is None else self.group),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Layout:
        """Restore a layout from its `state()`."""
        group = int(state["group"])
        return cls(
            num_columns=int(state["num_columns"]),
            categories=tuple(int(i) for i in state["categories"]),
            group=None if group < 0 else group,
        )


def join(parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> State:
    """Join the states of parts into one; each name is prefixed with its part's name and a dot."""
    return {f"{part}.{name}": a for part, state in parts.items() for name, a in state.items()}


def part(state: Mapping[str, NDArray[Any]], name: str) -> State:
    """Return the state of one part of a joined state."""
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
