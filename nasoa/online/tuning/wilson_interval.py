"""Confidence interval of an accuracy that was measured on a number of images."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson_interval(
    correct: int, total: int, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Return Wilson's score interval of a proportion (Wilson 1927); None without images.

    With z the quantile of the normal distribution, p the proportion and n the total, it is
    `(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`. Unlike the normal
    approximation it stays in [0, 1], and has a width even if all images are correct.

    Args:
        correct: number of correctly classified images.
        total: number of images.
        confidence: probability that intervals made in this way contain the accuracy.
    """
    if not total:
        return None
    z, p = NormalDist().inv_cdf((1 + confidence) / 2), correct / total
    middle = p + z**2 / (2 * total)
    half = z * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)
