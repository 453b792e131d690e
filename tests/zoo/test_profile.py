"""Step times of a model, measured as often as requested or until a limit in seconds."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nasoa.arch import build_network, parse
from nasoa.online.regimes.regime_space import admitted_resolutions
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.hardware import hardware_key
from nasoa.training.precision import best_precision
from nasoa.training.timing import WARMUP, TimedSteps
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.step_times import FEWEST_ROWS


@pytest.mark.parametrize(("longest_s", "made"), [(60.0, WARMUP + 4), (0.0, 1)])
def test_repeats_end_at_the_bound(
    longest_s: float, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network(parse("10001- 64 411-2111-211111-211"), 3)
    precision = best_precision()
    precision.place(network)
    timed = TimedSteps(
        network, precision, frozen_stages=-1, resolution=32, batch_size=2, longest_s=longest_s
    )
    steps: list[int] = []
    network.head.register_forward_hook(lambda *_: steps.append(1))
    assert timed.step_s(4) > 0
    assert len(steps) == made

    forwards: list[torch.Size] = []
    compute = FrozenPrefix.__call__

    def counted(prefix: FrozenPrefix, images: Tensor) -> Tensor:
        logits = compute(prefix, images)
        forwards.append(logits.shape)
        return logits

    monkeypatch.setattr(FrozenPrefix, "__call__", counted)
    assert timed.forward_s(4) > 0
    assert forwards == made * [(2, 3)]


def test_a_frozen_part_takes_less_than_a_trained_one() -> None:
    network = build_network(parse("111- 32 1-1-2-1"), 3)
    precision = best_precision()
    precision.place(network)
    seconds = [
        TimedSteps(network, precision, frozen_stages=frozen, resolution=64, batch_size=16).step_s(5)
        for frozen in (-1, 3)
    ]
    assert seconds[0] > 1.3 * seconds[1]


def test_small_middle_and_large_sizes_of_a_model_are_measured() -> None:
    for entry in packaged_zoo().entries.values():
        sizes = admitted_resolutions(entry, entry.resolution)
        rows = zoo_steps.profiled_rows(entry)
        assert rows == sorted(rows, key=lambda row: row[0])
        assert len(rows) == len(set(rows))
        measured = {resolution for resolution, _batch_size, _frozen in rows}
        assert {sizes[0], sizes[-1]} <= measured <= set(sizes)
        assert (entry.resolution in measured) == (entry.resolution in sizes)
        # Everything trained, and a part: this separates the two kinds of costs.
        for size in measured:
            frozen = [stages for resolution, _, stages in rows if resolution == size]
            assert min(frozen) == -1 < max(frozen)
        # Enough rows for the model's own constants.
        assert len(rows) >= FEWEST_ROWS


def test_a_network_that_takes_one_size_is_measured_in_two_batches() -> None:
    entry = replace(packaged_zoo().entry(REFERENCE_MODEL), fixed_resolution=True)
    rows = zoo_steps.profiled_rows(entry)
    assert {resolution for resolution, _batch_size, _frozen in rows} == {entry.resolution}
    assert [batch_size for _, batch_size, _ in rows] == [8, 8, 32, 32]
    assert len(rows) >= FEWEST_ROWS


@pytest.mark.parametrize("total_s", [0.0, 2.5])
def test_a_profile_ends_within_its_seconds(tmp_path: Path, total_s: float) -> None:
    store = open_store(str(tmp_path))
    zoo = zoo_steps.load_zoo(store)
    rows = tuple((size, 32, -1) for size in (32, 48, 64, 96, 128, 160, 192, 224))
    started = time.monotonic()
    found = list(
        zoo_steps.profile(
            store, zoo, REFERENCE_MODEL, rows, repeats=2, longest_s=0.2, total_s=total_s
        )
    )
    # Single steps are not interrupted: the last row may take longer than predicted.
    assert time.monotonic() - started < 1.5 * total_s + 1.0
    assert len(found) < len(rows)
    assert [(row.resolution, row.batch_size, row.frozen_stages) for row in found] == list(
        rows[: len(found)]
    )
    if total_s:
        assert found
    kept = zoo_steps.step_times(store, hardware_key()).rows
    assert sorted(kept) == sorted((REFERENCE_MODEL, *row) for row in rows[: len(found)])


def test_without_a_bound_all_rows_are_measured(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    zoo = zoo_steps.load_zoo(store)
    rows = ((32, 4, 3), (64, 4, -1))
    found = list(zoo_steps.profile(store, zoo, REFERENCE_MODEL, rows, repeats=1, total_s=1e6))
    assert [(row.resolution, row.frozen_stages) for row in found] == [(32, 3), (64, -1)]
    entry = zoo.entry(REFERENCE_MODEL)
    for row in found:
        scale = (row.resolution / entry.resolution) ** 2
        assert row.model == REFERENCE_MODEL
        assert row.part_macs == tuple(round(scale * macs) for macs in entry.part_macs)
        assert row.step_s > 0
        assert row.eval_image_s > 0
