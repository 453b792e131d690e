"""What a predictor of this store starts from, where that is not what comes with the package.

Starters are numbered and never changed, and the newest counts. No version reads one: a version has
all in itself.
"""

from __future__ import annotations

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from nasoa.errors import CorruptRecord
from nasoa.seal import check_tensors, seal_tensors
from nasoa.store import keys, listed
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import State

ADVICE = "make another with nasoa predictor learn, or delete it"


def newest(store: ArtifactStore, name: str) -> int:
    """The number of the newest starter of a predictor; 0 where there is none."""
    return max(listed.numbers(store, keys.starters(name), ".safetensors"), default=0)


def load(store: ArtifactStore, name: str, number: int) -> State:
    """The tensors of a starter.

    Raises:
        CorruptRecord: they cannot be decoded.
    """
    key = keys.starter(name, number)
    raw = store.get(key)
    try:
        check_tensors(raw, key)
        return dict(load_tensors(raw))
    except (CorruptRecord, SafetensorError, ValueError) as error:
        raise CorruptRecord(key, f"{error}; {ADVICE}") from None


def save(store: ArtifactStore, name: str, state: State) -> str:
    """Keep tensors as the newest starter of a predictor; returns the key."""
    document = seal_tensors(
        save_tensors({key: np.asarray(v, order="C") for key, v in state.items()})
    )
    number = newest(store, name) + 1
    while not store.put_if_absent(keys.starter(name, number), document):
        number += 1
    return keys.starter(name, number)
