"""Starters: states that the predictors of a store start from instead of the packaged ones.

Starters are numbered and never changed, and the newest is used. Versions do not depend on them: a
version holds its complete state.
"""

from __future__ import annotations

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from nasoa.errors import CorruptRecord
from nasoa.seal import check_tensors, seal_tensors
from nasoa.store import keys, listing
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import State

ADVICE = "make another with nasoa predictor learn, or delete it"


def newest(store: ArtifactStore, name: str) -> int:
    """Return the number of the newest starter of a predictor; 0 if there is none."""
    return max(listing.numbers(store, keys.starters(name), ".safetensors"), default=0)


def load(store: ArtifactStore, name: str, number: int) -> State:
    """Load the tensors of a starter.

    Raises:
        CorruptRecord: they cannot be decoded.
    """
    key = keys.starter(name, number)
    raw = store.get(key)
    try:
        check_tensors(raw, key)
        return dict(load_tensors(raw))
    except (CorruptRecord, SafetensorError, LookupError, ValueError) as error:
        raise CorruptRecord(key, f"{error}; {ADVICE}") from None


def save(store: ArtifactStore, name: str, state: State) -> str:
    """Save tensors as the newest starter of a predictor, and return its key."""
    document = seal_tensors(
        save_tensors({key: np.asarray(v, order="C") for key, v in state.items()})
    )
    number = newest(store, name) + 1
    while not store.put_if_absent(keys.starter(name, number), document):
        number += 1
    return keys.starter(name, number)
