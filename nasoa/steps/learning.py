"""Predictors of a store: their starting state, updates, rollback and rebuild."""

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
    updating,
)
from nasoa.store.base_version import BaseVersion, load_newest
from nasoa.store.first_version import make_first_version, make_first_version_again
from nasoa.store.next_version import Learner
from nasoa.store.snapshots import Snapshot, State
from nasoa.store.version_info import COLLECTIONS, STARTER, LearningRecord, SnapshotInfo
from nasoa.work_progress import reported

FIRST_VERSION = 1
RECENT = 50


def packaged_predictor() -> ExperiencePredictor:
    """Return the predictor that comes with the package."""
    # Matrices are small; on a busy machine, threads would only wait for each other.
    with threadpool_limits(1):
        return ExperiencePredictor.from_state(DEFAULT.starting_state())


def starting_predictor(store: ArtifactStore, method: Method = DEFAULT) -> RegimePredictor:
    """Return the predictor that the second version of a store and every rebuild start from.

    Raises:
        CorruptRecord: the store has its own starter, which cannot be read.
    """
    return _starter(store, method)[0]


def _starter(store: ArtifactStore, method: Method) -> tuple[RegimePredictor, State, str]:
    """Return predictor, state and kind of the store's newest starter, or of the package's."""
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
    """Return version 1 of a store's predictor, which is its starter.

    Raises:
        CorruptRecord: the store has its own starter, which cannot be read.
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


def current_base(store: ArtifactStore, method: Method = DEFAULT) -> BaseVersion[RegimePredictor]:
    """Return the predictor in use and the description of its version.

    Nothing is written. In a store without versions this is the starter, as version 0; the first
    update writes it as version 1.
    """
    base = load_newest(store, method.predictor_name, partial(restore, method=method))
    if base.predictor is None:
        return BaseVersion(starting_predictor(store, method), base.info)
    return base


def update(
    store: ArtifactStore,
    method: Method = DEFAULT,
    *,
    relearn: bool = False,
    base: BaseVersion[RegimePredictor] | None = None,
    time_left_s: Callable[[], float] = lambda: math.inf,
) -> updating.Update:
    """Learn every experience that is not learned yet, as a new version of a predictor.

    If there is not enough time for all of them, the oldest are learned, and the others are left to
    later updates.

    Args:
        store: store of the predictor.
        method: method that the predictor belongs to.
        relearn: whether to learn what a rollback or rebuild left out as well.
        base: result of `current_base`, if already loaded; its predictor is changed by learning, so
            the caller must not use it afterwards.
        time_left_s: returns the seconds left until the new version has to be written.
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
    store: ArtifactStore, version: int, method: Method = DEFAULT, *, relearn: bool = False
) -> SnapshotInfo:
    """Make a new version that equals an older one; what was learned since is left out.

    Args:
        store: store of the predictor.
        version: number of the version to go back to.
        method: method that the predictor belongs to.
        relearn: leave nothing out, so that the next update learns it again.

    Raises:
        InvalidInput: there is no such version, it cannot be read, or it is already the newest.
    """
    _start(store, method)
    return restoring.rollback(store, learner(store, method), version, relearn=relearn)


def rebuild_predictor(
    store: ArtifactStore, without: Sequence[str] = (), method: Method = DEFAULT
) -> SnapshotInfo:
    """Learn the complete experience log again, in order of time, as a new version.

    Args:
        store: store of the predictor.
        without: tasks to leave out, now and in later updates.
        method: method that the predictor belongs to.

    Raises:
        InvalidInput: the log is empty, or has no experience of one of the tasks to leave out.
    """
    _start(store, method)
    return restoring.rebuild(store, learner(store, method), without)


def rest_on_starter(store: ArtifactStore, method: Method = DEFAULT) -> SnapshotInfo:
    """Make a new version that is built on the store's newest starter.

    Tasks that are left out stay left out. Nothing is written if there is neither a version nor an
    experience, or if the method was never used; the first version will then be the starter.
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
    return make_first_version_again(store, learner(store, method), first)


def _start(store: ArtifactStore, method: Method) -> None:
    """Make the first version if there is something to learn."""
    make_first_version(store, learner(store, method), partial(first_version, store, method))


def learner(
    store: ArtifactStore,
    method: Method = DEFAULT,
    time_left_s: Callable[[], float] = lambda: math.inf,
) -> Learner[RegimePredictor]:
    """Return a method's predictor as a `Learner` of its store; for `time_left_s` see `update`."""
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
    """Predict each experience, record the error, then learn it, as long as time is left.

    Args:
        store: store whose starter is used if `predictor` is None.
        method: method that the predictor belongs to.
        predictor: predictor to continue from; None for `starting_predictor`.
        record: record that the errors are added to.
        experiences: experiences in the order in which they are learned.
        time_left_s: see `update`.

    Returns:
        The state after learning, and the record with one error for each experience that was
        learned; these are the first of `experiences`.
    """
    predictor = starting_predictor(store, method) if predictor is None else predictor
    errors = []
    with threadpool_limits(1):
        longest_s, before_s = 0.0, time_left_s()
        for experience in reported(experiences, "experiences"):
            if before_s <= longest_s:
                break
            errors.append(predictor.predict(experience) - experience.accuracy)
            predictor.learn([experience])
            left_s = time_left_s()
            longest_s, before_s = max(longest_s, before_s - left_s), left_s
    return predictor.state(), _added(record, errors, predictor.expert_weights)


def restore(state: State, method: Method = DEFAULT) -> RegimePredictor:
    """Return the predictor of a saved state.

    Raises:
        InvalidInput: the state does not fit the predictor of this release.
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
    """Return the record with these errors appended."""
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
