"""Update a predictor; concurrent updates lose nothing and learn nothing twice."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from nasoa.records import Experience
from nasoa.store import experience_blocks, experience_log, version_info
from nasoa.store.base_version import BaseVersion, find_base
from nasoa.store.next_version import Learner, make_next
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import SnapshotInfo

P = TypeVar("P")

READ_AT_ONCE = 64  # number of loose experiences that are read between two checks of the time

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Update:
    """What an update did; equal versions mean that nothing was learned."""

    version_before: int
    version_after: int
    learned: tuple[str, ...]


def update(
    store: ArtifactStore,
    learner: Learner[P],
    *,
    relearn: bool = False,
    loaded: BaseVersion[P] | None = None,
    time_left_s: Callable[[], float] = lambda: math.inf,
) -> Update:
    """Learn every experience that the newest version has not learned, as the next version.

    Of concurrent updates, one makes the next version; the others start again from that. A version
    records what it has learned, so nothing is lost and nothing is learned twice. What only a
    corrupt version had learned is learned again.

    Args:
        store: store of the versions and experiences.
        learner: the predictor.
        relearn: whether to learn what a rollback or rebuild left out as well.
        loaded: a version that is already loaded, which is used if it is the newest. Its predictor
            is changed by learning, so the caller must not use it afterwards.
        time_left_s: returns the seconds that are left. At most half of them are spent on reading
            experiences; what is not learned in the other half is left to later updates.

    Raises:
        StoreFailed: other processes took the next number too many times in a row.
    """
    unused = [loaded] if loaded else []

    def build(numbers: Sequence[int]) -> Snapshot | Update:
        if time_left_s() <= 0.0:
            newest = max(numbers, default=0)
            return Update(newest, newest, ())
        # Used once only: after a lost attempt it has learned what is not in its version.
        known = unused.pop() if unused else None
        if known is not None and known.info.version == max(numbers, default=0):
            base = known
        else:
            base = find_base(store, learner.name, numbers, learner.restore)
        if relearn:
            base = BaseVersion(base.predictor, replace(base.info, left_out=(), blocks=()))
        fresh = _not_learned(store, base.info, time_left_s)
        if not fresh.experiences:
            return Update(base.info.version, base.info.version, ())
        return _learned(base, fresh, numbers, learner)

    made = make_next(store, learner.name, build)
    return made if isinstance(made, Update) else Update(made.parent, made.version, made.new)


def _learned(
    base: BaseVersion[P], fresh: _Fresh, numbers: Sequence[int], learner: Learner[P]
) -> Snapshot | Update:
    """Return a version that has learned on top of `base` as much as there was time for."""
    given = fresh.experiences
    state, record = learner.learn(base.predictor, base.info.record.carried_over(), given)
    new = tuple(experience.task.task_id for experience in given[: len(record.errors)])
    if len(new) < len(given) or not fresh.is_all:
        logger.warning("the time is over: only %d of the new experiences were learned", len(new))
    if not new:
        return Update(base.info.version, base.info.version, ())
    info = replace(
        base.info,
        version=max(numbers, default=0) + 1,
        parent=base.info.version,
        kind=version_info.UPDATE,
        learned=tuple(sorted({*base.info.learned, *new})),
        new=new,
        blocks=fresh.finished_blocks(base.info, new),
        record=record,
        created_at=learner.created_at(),
        code_version=learner.code_version,
    )
    return Snapshot(state, info)


@dataclass(frozen=True)
class _Fresh:
    """Experiences that are neither learned nor left out, by time, as far as they were read.

    `blocks`: the blocks that were read, each with its tasks that are still to be learned; blocks
    with unreadable lines are not included. `is_all`: whether all experiences were read.
    """

    experiences: list[Experience]
    blocks: dict[int, frozenset[str]]
    is_all: bool

    def finished_blocks(self, info: SnapshotInfo, new: Sequence[str]) -> tuple[int, ...]:
        """Return the blocks with nothing left to learn after a version that learns `new`."""
        learned = {*new}
        finished = (number for number, wanted in self.blocks.items() if wanted <= learned)
        return tuple(sorted({*info.blocks, *finished}))


def _not_learned(
    store: ArtifactStore, info: SnapshotInfo, time_left_s: Callable[[], float]
) -> _Fresh:
    """Read what there is to learn; only the oldest if half the time is not enough for all."""
    least_s = time_left_s() / 2
    known = {*info.learned, *info.left_out}
    loose = experience_log.loose_ids(store)
    seen = {*info.blocks}
    fresh: list[Experience] = []
    blocks: dict[int, frozenset[str]] = {}
    unseen = [n for n in experience_blocks.numbers(store) if n not in seen]
    while unseen and time_left_s() >= least_s:
        number = unseen.pop(0)
        for lines in experience_blocks.read_readable(store, [number]).values():
            wanted = lines.keys() - known
            found = experience_blocks.decode(number, lines, wanted)
            fresh += found
            known |= wanted
            if len(found) == len(wanted):
                blocks[number] = frozenset(wanted)
    # Loose experiences are later than those in blocks, and task ids start with the time.
    left = [task_id for task_id in loose if task_id not in known]
    while left and not unseen and time_left_s() >= least_s:
        fresh += experience_log.read_loose(store, left[:READ_AT_ONCE])
        del left[:READ_AT_ONCE]
    return _Fresh(experience_log.in_order(fresh), blocks, not unseen and not left)
