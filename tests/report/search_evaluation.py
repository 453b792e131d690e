"""An evaluated architecture, for pages and charts of searches."""

from __future__ import annotations

from nasoa.records import ArchCosts, Evaluation


def evaluation(
    encoding: str, time_ms: float, accuracy: float | None, detail: str = ""
) -> Evaluation:
    """Return an evaluation; without an accuracy, it has failed."""
    costs = ArchCosts(
        encoding=encoding,
        resolution=64,
        batch_size=64,
        step_time_ms=time_ms,
        inference_ms=1.0,
        train_memory_bytes=1,
        macs=2_000_000,
        params=1_000_000,
        activations=1,
        hardware="cpu",
    )
    return Evaluation(
        encoding=encoding,
        costs=costs,
        accuracy=accuracy,
        failure="" if accuracy is not None else "crashed",
        detail=detail,
        seed=0,
        curve=(),
        elapsed_s=1.0,
        hardware="cpu",
        config_hash="0",
        code_version="0",
        created_at="",
    )
