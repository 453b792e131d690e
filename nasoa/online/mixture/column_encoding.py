"""Encode rows as numbers of similar scale: one-hot categories and standardised numbers.

An `Encoding` is fitted to the rows observed so far. Afterwards it only admits new categories; after
a refit, models relearn from the re-encoded columns. So no prediction depends on later rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, Layout, State

MOST_CATEGORIES = 128
LEAST_SPARE = 8
LOG_RATIO = 20.0
CLIP = 3.0
NOTHING: tuple[bytes, Array] = (b"", np.empty((0, 0)))


class Encoding:
    """Encode `(n, d)` rows as `(n, k)` columns in [-3, 3].

    Numbers are standardised; the logarithm is used if all values are positive and span more than a
    factor of 20 (learning rates, sizes). A missing number becomes 0, the mean, and is marked in a
    separate column. Categories are one-hot encoded with one column per known code, at most the 128
    latest ones of a column; unknown codes are 0 in all of them.

    Args:
        layout: layout of the rows.
        rows: `(n, d)` known rows, n may be 0.
        categories: the categorical columns to encode, by default all of the layout's.
    """

    def __init__(
        self, layout: Layout, rows: Array, categories: Sequence[int] | None = None
    ) -> None:
        numbers = rows[:, list(layout.numbers)]
        known = np.isfinite(numbers)
        least = np.where(known, numbers, np.inf).min(axis=0, initial=np.inf)
        most = np.where(known, numbers, -np.inf).max(axis=0, initial=-np.inf)
        with np.errstate(over="ignore"):
            logarithmic = (least > 0) & (most > LOG_RATIO * least)
        # An empty column has least = inf: it is constant, not logarithmic.
        self._logarithmic = logarithmic & np.isfinite(least)
        scaled = self._scale(numbers)
        known = np.isfinite(scaled)
        counts = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, scaled, 0.0)
        self._mean = filled.sum(axis=0) / counts
        spread = np.where(known, scaled - self._mean, 0.0)
        deviation = np.sqrt((spread**2).sum(axis=0) / counts)
        # A constant column is encoded as 0, even if its values differ by rounding.
        is_constant = deviation <= 1e-9 * np.maximum(np.abs(self._mean), 1.0)
        self._deviation = np.where(is_constant, np.inf, deviation)
        self._has_missing = ~known.all(axis=0)
        self._numbers = np.array(layout.numbers, dtype=np.int64)
        spread_out = list(layout.categories if categories is None else categories)
        self._categories = np.array(spread_out, dtype=np.int64)
        self._codes = self._choose_codes(spread_out, rows)
        self._latest = NOTHING

    @staticmethod
    def _choose_codes(categories: list[int], rows: Array) -> NDArray[np.int64]:
        """Return `(k, 2)` column and code of each one-hot column; spare ones have code -1."""
        chosen: list[tuple[int, int]] = []
        for column in categories:
            values = rows[::-1, column]
            codes, ages = np.unique(values[np.isfinite(values)], return_index=True)
            latest = np.argsort(ages, kind="stable")[:MOST_CATEGORIES]
            chosen += [(column, int(code)) for code in np.sort(codes[latest])]
        spare = max(LEAST_SPARE, len(chosen)) if categories else 0
        return np.array([*chosen, *[(0, -1)] * spare], dtype=np.int64).reshape(-1, 2)

    def admit(self, row: Array) -> bool:
        """Assign a column to each category of a `(d,)` row; return False if none is spare."""
        for column in self._categories.tolist():
            code = row[column]
            if np.isnan(code):
                continue
            known = (self._codes[:, 0] == column) & (self._codes[:, 1] == code)
            if not known.any():
                spare = np.flatnonzero(self._codes[:, 1] < 0)
                if len(spare) == 0:
                    return False
                self._codes[spare[0]] = column, code
                self._latest = NOTHING
        return True

    def _scale(self, numbers: Array) -> Array:
        scaled = numbers.copy()
        if self._logarithmic.any():
            positive = np.maximum(numbers[:, self._logarithmic], 1e-300)
            scaled[:, self._logarithmic] = np.log(positive)
        return scaled

    @property
    def num_numbers(self) -> int:
        """Number of numeric columns, which come first."""
        return len(self._numbers)

    @property
    def width(self) -> int:
        """`k`, the number of columns."""
        return len(self._numbers) + int(self._has_missing.sum()) + len(self._codes)

    def encode(self, rows: Array) -> Array:
        """Encode `(n, d)` rows as `(n, k)`: numbers, then missing indicators, then categories.

        The result is cached, so it must not be modified.
        """
        if len(rows) != 1:
            return self._encoded(rows)
        # A row is usually predicted just before it is learned, so the latest one is cached.
        key = rows.tobytes()
        if key != self._latest[0]:
            self._latest = key, self._encoded(rows)
        return self._latest[1]

    def _encoded(self, rows: Array) -> Array:
        numbers = self._scale(rows[:, self._numbers])
        missing = ~np.isfinite(numbers)
        np.copyto(numbers, self._mean, where=missing)
        numbers -= self._mean
        numbers /= self._deviation
        np.clip(numbers, -CLIP, CLIP, out=numbers)
        spread = rows[:, self._codes[:, 0]] == self._codes[:, 1]
        return np.concatenate([numbers, missing[:, self._has_missing], spread], axis=1)

    def state(self) -> State:
        """Return the full state as arrays."""
        return {
            "logarithmic": self._logarithmic,
            "mean": self._mean,
            "deviation": self._deviation,
            "has_missing": self._has_missing,
            "numbers": self._numbers,
            "codes": self._codes.copy(),
            "categories": self._categories,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Encoding:
        """Restore an encoding from its `state()`."""
        encoding = cls.__new__(cls)
        for name in ("logarithmic", "mean", "deviation", "has_missing", "numbers"):
            setattr(encoding, f"_{name}", np.array(state[name]))
        encoding._codes = np.array(state["codes"])
        encoding._categories = np.array(state["categories"])
        encoding._latest = NOTHING
        return encoding
