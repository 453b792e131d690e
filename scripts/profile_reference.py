"""Measure step times of the package's models, and make them the reference that comes with it.

    python -m scripts.profile_reference

On an idle machine: times on other hardware are estimated by scaling these. Some minutes.
"""

from __future__ import annotations

import math
import tempfile

import numpy as np

from nasoa.online.regime_space import admitted_resolutions
from nasoa.records import to_json
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store
from nasoa.training.hardware import use_threads
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.step_times import REFERENCE_ROWS, StepTime

# Batch size and frozen stages, at the smallest, the largest and some resolutions between them.
CONFIGURATIONS = ((64, -1), (32, 1), (64, 3), (16, 3))
NUM_RESOLUTIONS = 3


def spread(resolutions: tuple[int, ...]) -> list[int]:
    """Some of the resolutions, evenly spread on a logarithmic scale."""
    targets = np.geomspace(resolutions[0], resolutions[-1], NUM_RESOLUTIONS)
    return sorted({min(resolutions, key=lambda r: abs(math.log(r / t))) for t in targets})


def main() -> None:
    """Measure all, then write the file."""
    use_threads()
    zoo = packaged_zoo()
    rows: list[StepTime] = []
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for name in sorted(zoo.entries):
            entry = zoo.entry(name)
            wanted = [
                (resolution, batch_size, frozen)
                for resolution in spread(admitted_resolutions(entry, entry.resolution))
                for batch_size, frozen in CONFIGURATIONS
            ]
            rows += zoo_steps.profile(store, zoo, name, wanted, longest_s=0.5, total_s=float("inf"))
            print(f"{name}: {len(rows)} rows so far")  # noqa: T201
    REFERENCE_ROWS.write_bytes(to_json(rows))


if __name__ == "__main__":
    main()
