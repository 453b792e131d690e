"""Evaluations of a search, as tests need them."""

from __future__ import annotations

from typing import Any

from nasoa.records import ArchCosts, Evaluation


def evaluation(
    encoding: str,
    step_time_ms: float,
    accuracy: float | None,
    failure: str = "",
    detail: str = "",
    **costs: Any,
) -> Evaluation:
    """Return an evaluation; without accuracy and failure, it crashed. `costs`: of `ArchCosts`."""
    counted = {
        "resolution": 32,
        "batch_size": 8,
        "inference_ms": step_time_ms / 3,
        "train_memory_bytes": 1_000_000,
        "macs": 10_000,
        "params": 1_000,
        "activations": 500,
    }
    return Evaluation(
        encoding=encoding,
        costs=ArchCosts(
            encoding=encoding, step_time_ms=step_time_ms, hardware="cpu", **{**counted, **costs}
        ),
        accuracy=accuracy,
        failure=failure or ("crashed" if accuracy is None else ""),
        detail=detail,
        seed=0,
        curve=(),
        elapsed_s=1.0,
        hardware="cpu",
        config_hash="0",
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
    )
