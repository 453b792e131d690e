"""Which rows of a table have the same configuration: all columns but the group."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from nasoa.online.mixture.layout import Array, Layout

KEY_BYTES = 16


def configuration_keys(layout: Layout, rows: Array) -> list[bytes]:
    """The keys of `(n, d)` rows, 16 bytes each: equal if, and only if, all but the group are."""
    # -0.0 and 0.0 are one number, and so are all NaN.
    kept = rows[:, list(layout.configuration)]
    kept = np.where(np.isnan(kept), -9e99, kept) + 0.0
    return [blake2b(row, digest_size=KEY_BYTES).digest() for row in np.ascontiguousarray(kept)]
