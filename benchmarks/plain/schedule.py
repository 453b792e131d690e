"""The learning rates of the plain loops, which end with the time limit."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator


def cosine_rates(lr: float, began: float, limit_s: float) -> Iterator[float]:
    """Yield the learning rate of each step until the limit, and of one step in any case.

    The rate falls from `lr` now to 0 at the limit, as the half of a cosine.

    Args:
        lr: first learning rate.
        began: time from which the limit counts, of `time.perf_counter`.
        limit_s: seconds.
    """
    started = time.perf_counter()
    duration_s = max(limit_s - (started - began), 1e-9)
    yield lr
    while (progress := (time.perf_counter() - started) / duration_s) < 1.0:
        yield lr * 0.5 * (1.0 + math.cos(math.pi * progress))
