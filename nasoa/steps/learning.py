"""The predictor of a store: what it starts from, how it learns, and how versions are undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

import nasoa
from nasoa.errors import CorruptRecord, InvalidInput
from nasoa.online.collecting.starter import starter_state
from nasoa.online.predictor.drift import DriftAlarm
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME, ExperiencePredictor
from nasoa.records import Experience
from nasoa.steps.naming import utc_now
from nasoa.store import (
    ArtifactStore,
    experience_log,
    keys,
    open_store,
    restoring,
    snapshots,
    starters,
    starting,
    updating,
)
from nasoa.store.base import load_newest
from nasoa.store.next_version import Learner
from nasoa.store.snapshots import Snapshot, State
from nasoa.store.version_info import COLLECTIONS, STARTER, LearningRecord, SnapshotInfo

FIRST_VERSION = 1
RECENT = 50


def packaged_predictor() -> ExperiencePredictor:
    """The predictor that comes with the package."""
    # Matrices are small: on a busy machine threads would wait for each other.
    with threadpool_limits(1):
        return ExperiencePredictor.from_state(starter_state())


def starting_predictor(store: ArtifactStore) -> ExperiencePredictor:
    """What the second version of a store goes on from, and every rebuild.

    Raises:
        CorruptRecord: the store has a starter of its own, which cannot be read.
    """
    return _starter(store)[0]


def _starter(store: ArtifactStore) -> tuple[ExperiencePredictor, State, str]:
    """The predictor, its state and its kind: of the store's newest starter, or the package's."""
    number = starters.newest(store, PREDICTOR_NAME)
    if not number:
        return packaged_predictor(), starter_state(), STARTER
    state = starters.load(store, PREDICTOR_NAME, number)
    try:
        return restore(state), state, COLLECTIONS
    except InvalidInput as error:
        key = keys.starter(PREDICTOR_NAME, number)
        raise CorruptRecord(key, f"{error}; {starters.ADVICE}") from None


def first_version(store: ArtifactStore) -> Snapshot:
    """Version 1 of a store: what it starts from.

    Raises:
        CorruptRecord: the store has a starter of its own, which cannot be read.
    """
    predictor, state, kind = _starter(store)
    info = SnapshotInfo(
        name=PREDICTOR_NAME,
        version=FIRST_VERSION,
        parent=0,
        new=(),
        created_at=utc_now(),
        code_version=nasoa.__version__,
        kind=kind,
        record=LearningRecord(weights=_rounded(predictor.expert_weights)),
    )
    return Snapshot(state, info)


def current_predictor(store: ArtifactStore) -> tuple[ExperiencePredictor, int]:
    """The predictor that is in use, and the number of its version.

    Nothing is written: a store without versions has the first one, which its first update makes.
    """
    base = load_newest(store, PREDICTOR_NAME, restore)
    predictor = starting_predictor(store) if base.predictor is None else base.predictor
    return predictor, base.info.version or FIRST_VERSION


def update_predictor(store_uri: str, *, relearn: bool = False) -> updating.Update:
    """Learn every experience that is not learned yet, as a new version of the predictor.

    Args:
        store_uri: where it is.
        relearn: learn what a rollback or rebuild left out as well.
    """
    store = _started(store_uri)
    return updating.update(store, learner(store), relearn=relearn)


def rollback_predictor(store_uri: str, version: int, *, relearn: bool = False) -> SnapshotInfo:
    """Make a new version that equals an older one; what was learned since is left out.

    Args:
        store_uri: where it is.
        version: to go back to.
        relearn: nothing is left out, and the next update learns it again.

    Raises:
        InvalidInput: there is no such version, it cannot be read, or it is the newest already.
    """
    store = _started(store_uri)
    return restoring.rollback(store, learner(store), version, relearn=relearn)


def rebuild_predictor(store_uri: str, without: Sequence[str] = ()) -> SnapshotInfo:
    """Learn the whole experience log anew, in order of time, as a new version.

    Args:
        store_uri: where it is.
        without: tasks to leave out, now and in later updates.

    Raises:
        InvalidInput: the log is empty, or has no experience of a task to leave out.
    """
    store = _started(store_uri)
    return restoring.rebuild(store, learner(store), without)


def rest_on_starter(store_uri: str) -> SnapshotInfo:
    """Have the version in use rest on what the store starts from now.

    What is left out stays left out. Nothing is written where there is neither a version nor an
    experience: the first version will be the starter.
    """
    store = open_store(store_uri)
    known = {experience.task.task_id for experience in experience_log.read_all(store)}
    if known:
        left_out = load_newest(store, PREDICTOR_NAME, restore).info.left_out
        return rebuild_predictor(store_uri, sorted(known & {*left_out}))
    first = first_version(store)
    if not snapshots.newest_versions(store, PREDICTOR_NAME):
        return first.info
    return starting.start_again(store, learner(store), first)


def _started(store_uri: str) -> ArtifactStore:
    """The store, with a first version where there is something to learn."""
    store = open_store(store_uri)
    starting.start(store, learner(store), partial(first_version, store))
    return store


def learner(store: ArtifactStore) -> Learner[ExperiencePredictor]:
    """The predictor, for its store."""
    return Learner(
        name=PREDICTOR_NAME,
        restore=restore,
        learn=partial(learn, store),
        created_at=utc_now,
        code_version=nasoa.__version__,
    )


def learn(
    store: ArtifactStore,
    predictor: ExperiencePredictor | None,
    record: LearningRecord,
    experiences: Sequence[Experience],
) -> tuple[State, LearningRecord]:
    """Predict, note the error, then learn: one experience after another.

    Args:
        store: that says what to start from.
        predictor: to go on from; None for `starting_predictor`.
        record: that the errors are added to.
        experiences: in the order in which they are learned.
    """
    predictor = starting_predictor(store) if predictor is None else predictor
    errors = []
    with threadpool_limits(1):
        for experience in experiences:
            errors.append(predictor.predict(experience) - experience.accuracy)
            predictor.learn([experience])
    return predictor.state(), _added(record, errors, predictor.expert_weights)


def restore(state: State) -> ExperiencePredictor:
    """The predictor of a saved state.

    Raises:
        InvalidInput: the state is not one of this release's predictor.
    """
    try:
        with threadpool_limits(1):
            predictor = ExperiencePredictor.from_state(state)
            again = predictor.state()
    except (InvalidInput, LookupError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"it does not fit the predictor of this release ({type(error).__name__}: {error})"
        ) from None
    shapes = {name: np.shape(value) for name, value in state.items()}
    if {name: np.shape(value) for name, value in again.items()} != shapes:
        raise InvalidInput("it does not fit the predictor of this release (other arrays)")
    return predictor


def _added(
    record: LearningRecord, errors: Sequence[float], weights: dict[str, float]
) -> LearningRecord:
    """The record with these errors after those that it has."""
    alarm = DriftAlarm.from_state(record.alarm)
    absolute = [abs(error) for error in errors]
    rang = [i for i, error in enumerate(absolute, record.num_errors + 1) if alarm.observe(error)]
    return replace(
        record,
        errors=(*record.errors, *(round(error, 6) for error in errors)),
        num_errors=record.num_errors + len(errors),
        sum_abs_error=record.sum_abs_error + sum(absolute),
        recent=tuple(round(error, 6) for error in (*record.recent, *absolute)[-RECENT:]),
        weights=_rounded(weights),
        rang_at=(*record.rang_at, *rang),
        alarm=alarm.state(),
    )


def _rounded(weights: dict[str, float]) -> dict[str, float]:
    return {name: round(weight, 6) for name, weight in weights.items()}
