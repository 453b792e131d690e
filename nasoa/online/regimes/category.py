"""A categorical column of names, stored as integer codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Category:
    """A column of `n` names; the name of a row is `names[codes[row]]`.

    >>> column = Category.of(["cosine", "step", "cosine"])
    >>> column.names, column.codes.tolist(), column[2]
    (('cosine', 'step'), [0, 1, 0], 'cosine')
    """

    codes: Codes
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> Category:
        """Create a column from values; names are in order of first appearance."""
        known: dict[str, int] = {}
        codes = [known.setdefault(value, len(known)) for value in values]
        return cls(np.array(codes, dtype=np.intp), tuple(known))

    @classmethod
    def constant(cls, name: str, count: int) -> Category:
        """Create a column that repeats a name `count` times."""
        return cls(np.zeros(count, dtype=np.intp), (name,))

    @classmethod
    def concat(cls, columns: Sequence[Category]) -> Category:
        """Concatenate columns."""
        names = tuple(dict.fromkeys(name for column in columns for name in column.names))
        return cls(np.concatenate([column.codes_in(names) for column in columns]), names)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def take(self, rows: NDArray[np.intp]) -> Category:
        """Return the column restricted to these rows."""
        return Category(self.codes[rows], self.names)

    def codes_in(self, names: Sequence[str]) -> Codes:
        """Return the `(n,)` index of each row in other names, -1 for rows not among them."""
        indices = {name: index for index, name in enumerate(names)}
        known = np.array([indices.get(name, -1) for name in self.names], dtype=np.intp)
        return np.asarray(known[self.codes], dtype=np.intp)

    def equals(self, name: str) -> NDArray[np.bool_]:
        """Return `(n,)` whether each row has this name."""
        if name not in self.names:
            return np.zeros(len(self), dtype=np.bool_)
        return np.asarray(self.codes == self.names.index(name))

    def values(self) -> list[str]:
        """Return the name of each row."""
        return [self.names[code] for code in self.codes.tolist()]
