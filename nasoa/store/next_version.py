"""Make the next version of a predictor, from any number of processes at once."""

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
    """What the store needs to know of a predictor to make its versions.

    `restore` creates the predictor from a state, and raises `InvalidInput` if it does not fit.
    `learn` takes a predictor (None for one that has learned nothing), the record to add to, and
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
    """Build the next version and save it; build again if another process took its number.

    `build` gets the numbers of the newest versions and uses the next one. So if another process
    made a version after that listing, the number is taken. If `build` returns anything other than a
    version, nothing is saved and that value is returned.

    Raises:
        StoreFailed: other processes took the next number too many times in a row.
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
        f"the predictor {name!r} in {store.uri} could not be updated in {MAX_TRIES} attempts, as "
        "other processes updated it; try again later"
    )
