"""Pretraining in one process: the metrics of its epochs, and resuming after an interruption."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nasoa.errors import CorruptRecord
from nasoa.offline.epoch_log import from_json_lines, to_json_lines
from nasoa.offline.pretrain import Reporting, pretrain
from nasoa.records import EpochMetrics
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from tests.offline import pretraining_process as process


def run(
    state: RunState | None = None, kept: Sequence[EpochMetrics] = ()
) -> tuple[list[EpochMetrics], list[bytes]]:
    """Return the epochs as last recorded, and every checkpoint."""
    recorded: list[bytes] = []
    saved: list[bytes] = []
    pretrain(
        process.fresh(),
        process.source(),
        process.CONFIG,
        precision=process.PLAIN,
        limit_s=1e6,
        reporting=Reporting(
            save=lambda state: saved.append(to_bytes(state)),
            epochs=lambda epochs: recorded.append(to_json_lines(epochs)),
            kept=kept,
        ),
        state=state,
    )
    assert len(recorded) <= process.CONFIG.epochs
    return from_json_lines(recorded[-1], "epochs"), saved


def test_every_epoch_is_recorded_once_however_often_it_is_cut_off() -> None:
    epochs, saved = run()
    assert [epoch.iteration for epoch in epochs] == [3, 6, 9, 11]
    assert all(epoch.images_per_s > 0 for epoch in epochs)
    # Warm-up, then decay.
    assert epochs[0].lr > epochs[-1].lr > 0
    assert [e.elapsed_s for e in epochs] == sorted(e.elapsed_s for e in epochs)
    state = from_bytes(saved[len(saved) // 2], "state")
    done = state.iteration
    again, _saved = run(state, [epoch for epoch in epochs if epoch.iteration <= done])
    assert [epoch.iteration for epoch in again] == [3, 6, 9, 11]
    for first, second in zip(epochs, again, strict=True):
        assert (first.epoch, first.lr) == (second.epoch, second.lr)
        assert first.val_accuracy == pytest.approx(second.val_accuracy, abs=0.1)
    # Epochs that begin after the checkpoint are trained from their start.
    whole = [e for e, before in zip(epochs[1:], epochs, strict=False) if before.iteration >= done]
    for epoch in whole:
        (same,) = [e for e in again if e.iteration == epoch.iteration]
        assert same.train_loss == pytest.approx(epoch.train_loss, abs=1e-3)


def test_metrics_that_are_none_are_named() -> None:
    with pytest.raises(CorruptRecord, match=r"epochs\.jsonl"):
        from_json_lines(b'{"epoch": 1}\n', "epochs.jsonl")
