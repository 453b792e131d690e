"""A column of names, kept as codes: few names, many rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Category:
    """`n` names: that of a row is `names[codes[row]]`.

    >>> column = Category.of(["cosine", "step", "cosine"])
    >>> column.names, column.codes.tolist(), column[2]
    (('cosine', 'step'), [0, 1, 0], 'cosine')
    """

    codes: Codes
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> Category:
        """The column with these values; names in order of first appearance."""
        known: dict[str, int] = {}
        codes = [known.setdefault(value, len(known)) for value in values]
        return cls(np.array(codes, dtype=np.intp), tuple(known))

    @classmethod
    def constant(cls, name: str, count: int) -> Category:
        """`count` times the same name."""
        return cls(np.zeros(count, dtype=np.intp), (name,))

    @classmethod
    def joined(cls, columns: Sequence[Category]) -> Category:
        """One column below the other."""
        names = tuple(dict.fromkeys(name for column in columns for name in column.names))
        return cls(np.concatenate([column.codes_in(names) for column in columns]), names)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def take(self, rows: NDArray[np.intp]) -> Category:
        """The column of these rows."""
        return Category(self.codes[rows], self.names)

    def codes_in(self, names: Sequence[str]) -> Codes:
        """`(n,)` each row's place in other names, -1 where it is not there."""
        places = {name: place for place, name in enumerate(names)}
        known = np.array([places.get(name, -1) for name in self.names], dtype=np.intp)
        return np.asarray(known[self.codes], dtype=np.intp)

    def equals(self, name: str) -> NDArray[np.bool_]:
        """`(n,)` whether a row has this name."""
        if name not in self.names:
            return np.zeros(len(self), dtype=np.bool_)
        return np.asarray(self.codes == self.names.index(name))

    def values(self) -> list[str]:
        """The name of each row."""
        return [self.names[code] for code in self.codes.tolist()]
