"""What is known of runs before they are made, as a predictor needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KEY_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class KnownRuns:
    """`n` runs.

    Args:
        rows: `(n, d)` features, as the layout of the predictor says.
        kinds: `n` keys (`key`), equal for runs that are alike in all but length and task.
        tasks: `n` keys, equal for runs of one task.
        expected: `(n,)` log-odds of the accuracy that is expected without any experience.
    """

    rows: Array
    kinds: Sequence[bytes]
    tasks: Sequence[bytes]
    expected: Array

    def __len__(self) -> int:
        return len(self.expected)

    def at(self, place: int) -> KnownRuns:
        """The one run at a place."""
        return KnownRuns(
            rows=self.rows[place : place + 1],
            kinds=self.kinds[place : place + 1],
            tasks=self.tasks[place : place + 1],
            expected=self.expected[place : place + 1],
        )


def key(text: bytes) -> bytes:
    """`KEY_BYTES` bytes that stand for some."""
    return blake2b(text, digest_size=KEY_BYTES).digest()
