"""What is known of runs before they are made, in the form that a predictor takes."""

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
    """What is known of `n` runs.

    Args:
        rows: `(n, d)` features in the predictor's layout.
        kinds: `n` keys (`key`), equal for runs that are the same except for length and task.
        tasks: `n` keys, equal for runs of one task.
        expected: `(n,)` log-odds of the accuracy that is expected without any experience.
    """

    rows: Array
    kinds: Sequence[bytes]
    tasks: Sequence[bytes]
    expected: Array

    def __len__(self) -> int:
        return len(self.expected)

    def at(self, index: int) -> KnownRuns:
        """Return the run at an index, as a table of one."""
        return KnownRuns(
            rows=self.rows[index : index + 1],
            kinds=self.kinds[index : index + 1],
            tasks=self.tasks[index : index + 1],
            expected=self.expected[index : index + 1],
        )


def key(text: bytes) -> bytes:
    """Return a key of `KEY_BYTES` bytes for a text."""
    return blake2b(text, digest_size=KEY_BYTES).digest()
