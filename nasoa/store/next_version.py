"""How the next version of a predictor is made, by any number of processes at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from nasoa.errors import StoreFailed
from nasoa.records import Experience
from nasoa.store import snapshots
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import Snapshot, State
from nasoa.store.version_info import LearningRecord, SnapshotInfo

P = TypeVar("P")
T = TypeVar("T")

MAX_TRIES = 200
LONGEST_WAIT_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Learner(Generic[P]):
    """What a predictor is to the store.

    `restore` gives the predictor of a state, and raises `InvalidInput` for that of another.
    `learn` takes a predictor (None: one that has learned nothing), the record to add to, and
    experiences by time.
    """

    name: str
    restore: Callable[[State], P]
    learn: Callable[[P | None, LearningRecord, Sequence[Experience]], tuple[State, LearningRecord]]
    created_at: Callable[[], str]
    code_version: str


def make_next(
    store: ArtifactStore, name: str, build: Callable[[Sequence[int]], Snapshot | T]
) -> SnapshotInfo | T:
    """Build the next version and save it; anew where another process took its number meanwhile.

    The next number is that after the very listing that `build` gets: whoever makes a version after
    it takes that number first. Where `build` gives anything else than a version,
    there is none to make, and that is returned.

    Raises:
        StoreFailed: others took the next number too many times in a row.
    """
    rng = random.Random()
    for attempt in range(MAX_TRIES):
        built = build(snapshots.newest_versions(store, name))
        if not isinstance(built, Snapshot):
            return built
        if snapshots.save(store, built):
            return built.info
        time.sleep(rng.uniform(0, min(LONGEST_WAIT_S, 0.01 * (attempt + 1))))
    raise StoreFailed(
        f"the predictor {name!r} in {store.uri} could not be updated in {MAX_TRIES} tries; "
        "try again when fewer tasks end at once"
    )
