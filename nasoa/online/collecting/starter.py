"""What comes with the package: collected fine-tunes, and a predictor that has learned them.

`nasoa/online/collecting/experience/CARD.md` says how the table was made.
`python -m scripts.make_starter` makes both files.
"""

from __future__ import annotations

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
CARD = FOLDER / "CARD.md"


def collected_runs() -> list[CollectedRecord]:
    """The records of the package's table."""
    return read_table(TABLE)


@cache
def starter_state() -> dict[str, NDArray[Any]]:
    """`ExperiencePredictor.state()` after the package's table.

    Raises:
        CorruptRecord: the file is damaged.
    """
    try:
        return load(STATE.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CorruptRecord(str(STATE), f"{error}; install nasoa again") from None


def write_state(state: dict[str, NDArray[Any]], path: Path = STATE) -> None:
    """Keep a state as the package's."""
    path.write_bytes(save({name: np.asarray(v, order="C") for name, v in state.items()}))
