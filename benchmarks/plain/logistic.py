"""Logistic regression on standardised features."""

from __future__ import annotations

import time
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

MAX_ITERATIONS = 1000
TYPICAL_ITERATIONS = 40

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


def fit(
    features: Features, labels: Labels, c: float, max_iterations: int = MAX_ITERATIONS
) -> Pipeline:
    """Fit a classifier on `(n, d)` features; it is used even if it has not converged."""
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=c, max_iter=max(1, max_iterations))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(features, labels)


def iteration_s(num_images: int, num_features: int, num_classes: int) -> float:
    """Measure the seconds of one iteration: two products of features and weights."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((num_images, num_features), dtype=np.float32)
    weights = rng.standard_normal((num_features, num_classes), dtype=np.float32)
    began = time.perf_counter()
    features.T @ (features @ weights)
    return time.perf_counter() - began
