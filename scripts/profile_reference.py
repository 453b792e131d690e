"""Measure step times of the package's models, and write them as the reference of the package.

    python -m scripts.profile_reference

Times are CPU seconds of one thread, the minimum over several passes over all models: other work on
the machine, and on neighbouring machines, only adds to them. Times on other hardware are estimated
by scaling these. All are multiplied by one factor that makes a step of ET-NAS-A at 64 px, batch 64,
take as long as on the machine of the first reference (two cores with AVX512-BF16), so that a limit
on the step clock means the same in every release. It takes a quarter of an hour.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import numpy as np

from nasoa.online.regimes.regime_space import admitted_resolutions
from nasoa.records import to_json
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store
from nasoa.training.hardware import use_threads
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.step_times import REFERENCE_ROWS, StepTime

Row = tuple[str, int, int, int]  # model, resolution, batch size, frozen stages

NUM_RESOLUTIONS = 3
FROZEN = (-1, 1, 3)
PASSES = 3
BATCH_PIXELS = 64 * 64**2  # pixels of a batch; large images have smaller batches
FIRST_REFERENCE_S = 0.0596
HARDWARE = "one-thread-scaled"


def main() -> None:
    """Measure all, then write the file."""
    use_threads(1)
    least: dict[Row, StepTime] = {}
    with mock.patch("time.perf_counter", time.process_time):
        for number in range(PASSES):
            for row in measured():
                key = (row.model, row.resolution, row.batch_size, row.frozen_stages)
                least[key] = quicker(row, least.get(key, row))
            print(f"pass {number + 1} of {PASSES} done", flush=True)  # noqa: T201
    factor = FIRST_REFERENCE_S / least[REFERENCE_MODEL, 64, 64, -1].step_s
    REFERENCE_ROWS.write_bytes(to_json([scaled(row, factor) for row in least.values()]))


def measured() -> Iterator[StepTime]:
    """Yield rows of every model, measured now."""
    zoo = packaged_zoo()
    for name, entry in sorted(zoo.entries.items()):
        wanted = [
            (resolution, batch_size, frozen)
            for resolution in spread(admitted_resolutions(entry, entry.resolution))
            for batch_size, frozen in configurations(resolution)
        ]
        with tempfile.TemporaryDirectory() as folder:
            yield from zoo_steps.profile(
                open_store(folder), zoo, name, wanted, repeats=3, longest_s=0.5, total_s=math.inf
            )


def quicker(one: StepTime, other: StepTime) -> StepTime:
    """Return the minimum seconds of two measurements of a row."""
    return replace(
        one,
        step_s=min(one.step_s, other.step_s),
        eval_image_s=min(one.eval_image_s, other.eval_image_s),
        cached_step_s=min(one.cached_step_s, other.cached_step_s),
    )


def spread(resolutions: tuple[int, ...]) -> list[int]:
    """Return some of the resolutions, evenly spread on a logarithmic scale."""
    targets = np.geomspace(resolutions[0], resolutions[-1], NUM_RESOLUTIONS)
    return sorted({min(resolutions, key=lambda r: abs(math.log(r / t))) for t in targets})


def configurations(resolution: int) -> list[tuple[int, int]]:
    """Return batch sizes and frozen stages at a resolution."""
    batch_size = min(64, max(8, BATCH_PIXELS // resolution**2))
    return [(batch_size, frozen) for frozen in FROZEN] + [(batch_size // 4, FROZEN[-1])]


def scaled(row: StepTime, factor: float) -> StepTime:
    """Return a row scaled to the reference."""
    return replace(
        row,
        hardware=HARDWARE,
        step_s=factor * row.step_s,
        eval_image_s=factor * row.eval_image_s,
        cached_step_s=factor * row.cached_step_s,
    )


if __name__ == "__main__":
    main()
