"""What comes with the package: collected fine-tunes, and predictors that have learned them.

`nasoa/online/collecting/experience/CARD.md` says how the table was made.
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
from nasoa.online.collecting.collected_table import read_table
from nasoa.records import CollectedRecord

FOLDER = Path(__file__).parent / "experience"
TABLE = FOLDER / "collected.parquet"
STATE = FOLDER / "predictor.safetensors"
PAPER_STATE = FOLDER / "paper_predictor.safetensors"
CARD = FOLDER / "CARD.md"


def collected_runs() -> list[CollectedRecord]:
    """The records of the package's table."""
    return read_table(TABLE)


@cache
def starter_state(path: Path) -> dict[str, NDArray[Any]]:
    """`state()` of a predictor that has learned the package's table.

    Args:
        path: `STATE`, that of `ExperiencePredictor`, or `PAPER_STATE`, that of `PaperPredictor`.

    Raises:
        CorruptRecord: the file is damaged.
    """
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CorruptRecord(str(path), f"{error}; install nasoa again") from None


def write_state(state: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Keep a state as one of the package's."""
    path.write_bytes(save({name: np.asarray(v, order="C") for name, v in state.items()}))
