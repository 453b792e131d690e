"""A search that takes seconds: tiny networks on small digits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nasoa.config import EvaluateConfig
from nasoa.offline.search import SearchConfig
from nasoa.offline.space import BlockSpace
from nasoa.records import ArchCosts, Evaluation


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

    def make(
        encoding: str, step_time_ms: float, accuracy: float | None, failure: str = ""
    ) -> Evaluation:
        return Evaluation(
            encoding=encoding,
            costs=ArchCosts(
                encoding=encoding,
                resolution=32,
                batch_size=8,
                step_time_ms=step_time_ms,
                inference_ms=step_time_ms / 3,
                train_memory_bytes=1_000_000,
                macs=10_000,
                params=1_000,
                activations=500,
                hardware="cpu",
            ),
            accuracy=accuracy,
            failure=failure,
            detail="",
            seed=0,
            curve=(),
            elapsed_s=1.0,
            hardware="cpu",
            config_hash="0",
            code_version="0",
            created_at="2026-01-01T00:00:00+00:00",
        )

    return make
