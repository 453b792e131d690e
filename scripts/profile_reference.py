"""Measure step times of the package's models, and make them the reference that comes with it.

    python -m scripts.profile_reference

On an idle machine: times on other hardware are estimated by scaling these. One row takes a second
or two, eighteen rows a model.
"""

from __future__ import annotations

import tempfile

from nasoa.records import to_json
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store
from nasoa.training.hardware import use_threads
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.step_times import REFERENCE_ROWS, StepTime


def main() -> None:
    """Measure all, then write the file."""
    use_threads()
    zoo = packaged_zoo()
    rows: list[StepTime] = []
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for name in sorted(zoo.entries):
            rows += zoo_steps.profile(store, zoo, name)
            print(f"{name}: {1000 * rows[-1].step_s:.1f} ms with all but the head frozen")  # noqa: T201
    REFERENCE_ROWS.write_bytes(to_json(rows))


if __name__ == "__main__":
    main()
