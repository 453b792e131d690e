"""Keys of configurations: the values of all columns except the group."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from nasoa.online.mixture.layout import Array, Layout

KEY_BYTES = 16


def configuration_keys(layout: Layout, rows: Array) -> list[bytes]:
    """Return 16-byte keys of `(n, d)` rows: equal if and only if the configurations are."""
    # -0.0 and 0.0 must have the same key, and so must all NaN.
    kept = rows[:, list(layout.configuration)]
    kept = np.where(np.isnan(kept), -9e99, kept) + 0.0
    return [blake2b(row, digest_size=KEY_BYTES).digest() for row in np.ascontiguousarray(kept)]
