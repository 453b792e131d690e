"""Predictors of a store: what they start from, how they learn, and how versions are undone."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

import nasoa
from nasoa.errors import CorruptRecord, InvalidInput
from nasoa.online.predictor.drift import DriftAlarm
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.records import Experience
from nasoa.steps.methods import DEFAULT, Method, RegimePredictor
from nasoa.steps.naming import utc_now
from nasoa.store import (
    ArtifactStore,
    experience_log,
    keys,
    restoring,
    snapshots,
    starters,
    starting,
    updating,
)
from nasoa.store.base import Base, load_newest
from nasoa.store.next_version import Learner
from nasoa.store.snapshots import Snapshot, State
from nasoa.store.version_info import COLLECTIONS, STARTER, LearningRecord, SnapshotInfo

FIRST_VERSION = 1
RECENT = 50


def packaged_predictor() -> ExperiencePredictor:
    """The predictor that comes with the package."""
    # Matrices are small: on a busy machine threads would wait for each other.
    with threadpool_limits(1):
        return ExperiencePredictor.from_state(DEFAULT.starting_state())


def starting_predictor(store: ArtifactStore, method: Method = DEFAULT) -> RegimePredictor:
    """What the second version of a store goes on from, and every rebuild.

    Raises:
        CorruptRecord: the store has a starter of its own, which cannot be read.
    """
    return _starter(store, method)[0]


def _starter(store: ArtifactStore, method: Method) -> tuple[RegimePredictor, State, str]:
    """The predictor, its state and its kind: of the store's newest starter, or the package's."""
    number = starters.newest(store, method.predictor_name)
    if not number:
        state = method.starting_state()
        with threadpool_limits(1):
            return method.restore(state), state, STARTER
    state = starters.load(store, method.predictor_name, number)
    try:
        return restore(state, method), state, COLLECTIONS
    except InvalidInput as error:
        key = keys.starter(method.predictor_name, number)
        raise CorruptRecord(key, f"{error}; {starters.ADVICE}") from None


def first_version(store: ArtifactStore, method: Method = DEFAULT) -> Snapshot:
    """Version 1 of a store: what it starts from.

    Raises:
        CorruptRecord: the store has a starter of its own, which cannot be read.
    """
    predictor, state, kind = _starter(store, method)
    info = SnapshotInfo(
        name=method.predictor_name,
        version=FIRST_VERSION,
        parent=0,
        new=(),
        created_at=utc_now(),
        code_version=nasoa.__version__,
        kind=kind,
        record=LearningRecord(weights=_rounded(predictor.expert_weights)),
    )
    return Snapshot(state, info)


def current_base(store: ArtifactStore, method: Method = DEFAULT) -> Base[RegimePredictor]:
    """The predictor that is in use, and what its version is.

    Nothing is written: a store without versions has the first one, which its first update makes;
    the number is 0 then.
    """
    base = load_newest(store, method.predictor_name, partial(restore, method=method))
    if base.predictor is None:
        return Base(starting_predictor(store, method), base.info)
    return base


def update(
    store: ArtifactStore,
    method: Method = DEFAULT,
    *,
    relearn: bool = False,
    base: Base[RegimePredictor] | None = None,
    time_left_s: Callable[[], float] = lambda: math.inf,
) -> updating.Update:
    """Learn every experience that is not learned yet, as a new version of a predictor.

    Where there are more than there is time for, the oldest are learned, and the others left to
    later updates.

    Args:
        store: where it is.
        method: whose predictor.
        relearn: learn what a rollback or rebuild left out as well.
        base: from `current_base`, if it was loaded already; it learns, so this is its last use.
        time_left_s: seconds that are left until the new version has to be written.
    """
    if time_left_s() <= 0.0:
        numbers = snapshots.newest_versions(store, method.predictor_name)
        newest = max(numbers, default=FIRST_VERSION)
        return updating.Update(newest, newest, ())
    _start(store, method)
    return updating.update(
        store,
        learner(store, method, time_left_s),
        relearn=relearn,
        loaded=base,
        time_left_s=time_left_s,
    )


def rollback_predictor(
    store: ArtifactStore, version: int, *, relearn: bool = False
) -> SnapshotInfo:
    """Make a new version that equals an older one; what was learned since is left out.

    Args:
        store: where it is.
        version: to go back to.
        relearn: nothing is left out, and the next update learns it again.

    Raises:
        InvalidInput: there is no such version, it cannot be read, or it is the newest already.
    """
    _start(store, DEFAULT)
    return restoring.rollback(store, learner(store), version, relearn=relearn)


def rebuild_predictor(
    store: ArtifactStore, without: Sequence[str] = (), method: Method = DEFAULT
) -> SnapshotInfo:
    """Learn the whole experience log anew, in order of time, as a new version.

    Args:
        store: where it is.
        without: tasks to leave out, now and in later updates.
        method: whose predictor.

    Raises:
        InvalidInput: the log is empty, or has no experience of a task to leave out.
    """
    _start(store, method)
    return restoring.rebuild(store, learner(store, method), without)


def rest_on_starter(store: ArtifactStore, method: Method = DEFAULT) -> SnapshotInfo:
    """Have the version in use rest on what the store starts from now.

    What is left out stays left out. Nothing is written where there is neither a version nor an
    experience, nor where the method was never used: the first version will be the starter.
    """
    name = method.predictor_name
    is_used = method is DEFAULT or snapshots.newest_versions(store, name)
    known = {experience.task.task_id for experience in experience_log.read_all(store)}
    if known and is_used:
        left_out = load_newest(store, name, partial(restore, method=method)).info.left_out
        return rebuild_predictor(store, sorted(known & {*left_out}), method)
    first = first_version(store, method)
    if not snapshots.newest_versions(store, name):
        return first.info
    return starting.start_again(store, learner(store, method), first)


def _start(store: ArtifactStore, method: Method) -> None:
    """Make a first version where there is something to learn."""
    starting.start(store, learner(store, method), partial(first_version, store, method))


def learner(
    store: ArtifactStore,
    method: Method = DEFAULT,
    time_left_s: Callable[[], float] = lambda: math.inf,
) -> Learner[RegimePredictor]:
    """The predictor of a method, for its store; `time_left_s` as of `update`."""
    return Learner(
        name=method.predictor_name,
        restore=partial(restore, method=method),
        learn=partial(learn, store, method, time_left_s=time_left_s),
        created_at=utc_now,
        code_version=nasoa.__version__,
    )


def learn(
    store: ArtifactStore,
    method: Method,
    predictor: RegimePredictor | None,
    record: LearningRecord,
    experiences: Sequence[Experience],
    time_left_s: Callable[[], float] = lambda: math.inf,
) -> tuple[State, LearningRecord]:
    """Predict, note the error, then learn: one experience after another, as long as time is left.

    Args:
        store: that says what to start from.
        method: whose predictor.
        predictor: to go on from; None for `starting_predictor`.
        record: that the errors are added to.
        experiences: in the order in which they are learned; the record has an error of each of
            the first that were.
        time_left_s: as of `update`.
    """
    predictor = starting_predictor(store, method) if predictor is None else predictor
    errors = []
    with threadpool_limits(1):
        longest_s, before_s = 0.0, time_left_s()
        for experience in experiences:
            if before_s <= longest_s:
                break
            errors.append(predictor.predict(experience) - experience.accuracy)
            predictor.learn([experience])
            left_s = time_left_s()
            longest_s, before_s = max(longest_s, before_s - left_s), left_s
    return predictor.state(), _added(record, errors, predictor.expert_weights)


def restore(state: State, method: Method = DEFAULT) -> RegimePredictor:
    """The predictor of a saved state.

    Raises:
        InvalidInput: the state is not one of this release's predictor.
    """
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("error")  # what NumPy only warns of is no number
            predictor = method.restore(state)
            again = predictor.state()
    except (InvalidInput, LookupError, TypeError, ValueError, ArithmeticError, Warning) as error:
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
