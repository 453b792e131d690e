"""Streams of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from nasoa.online.predictors.layout import Layout


@dataclass(frozen=True)
class Stream:
    """Runs of tasks: a model (code), a learning rate, a task (code, the group)."""

    layout: Layout
    rows: NDArray[np.float64]
    targets: NDArray[np.float64]


def make_stream(num_rows: int, seed: int = 0, num_tasks: int = 4) -> Stream:
    """Accuracies that depend on model, on the learning rate with a best place, and on the task."""
    rng = np.random.default_rng(seed)
    models = rng.integers(0, 3, num_rows)
    rates = 10.0 ** rng.uniform(-4, -1, num_rows)
    tasks = rng.integers(0, num_tasks, num_rows)
    level = np.linspace(0.8, 0.4, num_tasks)[tasks] + 0.05 * models
    targets = level - 0.05 * (np.log10(rates) + 2.5) ** 2 + 0.01 * rng.normal(size=num_rows)
    rows = np.column_stack([models, rates, tasks]).astype(np.float64)
    layout = Layout(num_columns=3, categories=(0, 2), group=2)
    return Stream(layout, rows, np.clip(targets, 0.0, 1.0))


@pytest.fixture(scope="session")
def stream() -> Stream:
    """40 runs: enough for every schedule to come round more than once."""
    return make_stream(40)
