"""A search that takes seconds: tiny networks on small digits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nasoa.config import EvaluateConfig
from nasoa.offline.search import SearchConfig
from nasoa.offline.space import BlockSpace
from nasoa.records import Evaluation
from tests.evaluations import evaluation


@pytest.fixture
def judging() -> EvaluateConfig:
    return EvaluateConfig(
        epochs=4,
        stop_share=0.5,
        batch_size=32,
        lr=0.1,
        resolution=32,
        num_classes=0,
        val_fraction=0.3,
        weight_decay=5e-4,
        min_scale=0.8,
        step_batch_size=8,
        timeout_s=60.0,
        repeats=2,
    )


@pytest.fixture
def config(judging: EvaluateConfig) -> SearchConfig:
    return SearchConfig(
        block=BlockSpace(stages=((1,), (2,), (1,), (1,)), first_channels=(8,), max_operators=2),
        data="sklearn:digits:classes=0,1,2:per_class=60",
        evaluate=judging,
        num_children=4,
    )


@pytest.fixture
def make_evaluation() -> Callable[..., Evaluation]:
    """Return a factory of evaluations with a step time and an accuracy, or a failure."""
    return evaluation
