"""Experience that comes with the package: collected fine-tunes, and predictors that learned them.

`nasoa/online/collecting/experience/CARD.md` describes how the table was made.
`python -m scripts.make_starter` makes the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nasoa.errors import CorruptRecord
from nasoa.records import CollectedRecord

FOLDER = Path(__file__).parent / "experience"
TABLE = FOLDER / "collected.parquet"
STATE = FOLDER / "predictor.safetensors"
PAPER_STATE = FOLDER / "paper_predictor.safetensors"
CARD = FOLDER / "CARD.md"


def collected_runs() -> list[CollectedRecord]:
    """Return the records of the packaged table."""
    from nasoa.online.collecting.collected_table import read_table  # noqa: PLC0415  (torch)

    return read_table(TABLE)


@cache
def starter_state(path: Path) -> dict[str, NDArray[Any]]:
    """Return the `state()` of a predictor that has learned the packaged table.

    Args:
        path: `STATE` for `ExperiencePredictor`, or `PAPER_STATE` for `PaperPredictor`.

    Raises:
        CorruptRecord: the file is damaged.
    """
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CorruptRecord(str(path), f"{error}; install nasoa again") from None


def write_state(state: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write a state to a file of the package."""
    path.write_bytes(save({name: np.asarray(v, order="C") for name, v in state.items()}))
