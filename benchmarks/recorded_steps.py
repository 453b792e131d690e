"""Measure the benefit of recording training steps on a GPU: each model, launched and recorded.

`python -m benchmarks.recorded_steps` needs a CUDA device.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.machine import RESULTS, machine, write
from nasoa.training import timing
from nasoa.training.graphs import record
from nasoa.training.precision import best_precision, precision_for
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network

BATCH_SIZES = (64,)
STEPS = 15


def main() -> None:
    """Time each model and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "recorded_steps.json")
    arguments = parser.parse_args()
    if best_precision().device.type != "cuda":
        parser.error("expected a CUDA device, but torch detects none")
    zoo = packaged_zoo()
    rows = []
    for name, batch_size in [(name, size) for name in zoo.entries for size in BATCH_SIZES]:
        launched: list[float] = []
        recorded: list[float] = []
        recording: list[float] = []

        def timed(*arguments: Any, took: list[float] = recording) -> bool:
            started = time.perf_counter()
            made = record(*arguments)
            torch.cuda.synchronize()
            took.append(time.perf_counter() - started)
            return made

        for _ in range(arguments.repeats):
            with mock.patch.object(timing, "record", return_value=False):
                launched.append(_step_ms(name, batch_size))
            with mock.patch.object(timing, "record", timed):
                recorded.append(_step_ms(name, batch_size))
        ratios = [before / after for before, after in zip(launched, recorded, strict=True)]
        rows.append(
            {
                "model": name,
                "batch_size": batch_size,
                "launched_ms": round(statistics.median(launched), 3),
                "recorded_ms": round(statistics.median(recorded), 3),
                "ratio": round(statistics.median(ratios), 2),
                "recording_s": [round(seconds, 3) for seconds in recording],
            }
        )
    device = {"gpu": torch.cuda.get_device_name(), **machine(("torch",))}
    write(
        {"machine": device, "repeats": arguments.repeats, "steps": STEPS, "rows": rows},
        arguments.output,
    )


def _step_ms(name: str, batch_size: int) -> float:
    zoo = packaged_zoo()
    entry = zoo.entry(name)
    network = load_network(entry, zoo.weights(name))
    precision = precision_for(network)
    precision.place(network)
    timed = timing.TimedSteps(
        network,
        precision,
        frozen_stages=-1,
        resolution=entry.resolution,
        batch_size=batch_size,
    )
    return 1000 * timed.step_s(STEPS)


if __name__ == "__main__":
    main()
