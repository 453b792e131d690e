"""What the columns of a feature vector are.

A row is a vector of floats: a number stands as it is, NaN where it is missing; a category stands as
its code, a whole number from 0 in the order in which categories first came. One of the categories
may be the task, the group of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]
State = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Columns of a feature vector.

    `num_columns`: `d`; `categories`: the indices of columns that hold codes, ascending; `group`:
    the one of these that says which task a row is of, or None.
    """

    num_columns: int
    categories: tuple[int, ...] = ()
    group: int | None = None

    def __post_init__(self) -> None:
        if self.num_columns < 1:
            raise InvalidInput(f"Expected at least 1 column but there are {self.num_columns}")
        if list(self.categories) != sorted(set(self.categories) & set(range(self.num_columns))):
            raise InvalidInput(
                f"Expected categories to be ascending column indices below {self.num_columns} but "
                f"they were {self.categories}"
            )
        if self.group is not None and self.group not in self.categories:
            raise InvalidInput(f"Expected the group, column {self.group}, to be a category")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The indices of columns that hold numbers."""
        return tuple(i for i in range(self.num_columns) if i not in self.categories)

    @property
    def configuration(self) -> tuple[int, ...]:
        """The indices of all columns but the group."""
        return tuple(i for i in range(self.num_columns) if i != self.group)

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {
            "num_columns": np.array(self.num_columns),
            "categories": np.array(self.categories, dtype=np.int64),
            "group": np.array(-1 if self.group is None else self.group),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Layout:
        """The layout that `state()` was called on."""
        group = int(state["group"])
        return cls(
            num_columns=int(state["num_columns"]),
            categories=tuple(int(i) for i in state["categories"]),
            group=None if group < 0 else group,
        )


def join(parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> State:
    """States of parts as one, each name after its part's name and a point."""
    return {f"{part}.{name}": a for part, state in parts.items() for name, a in state.items()}


def part(state: Mapping[str, NDArray[Any]], name: str) -> State:
    """The state of one part out of `join`."""
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
