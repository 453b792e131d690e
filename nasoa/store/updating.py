"""Updates of a predictor: nothing is lost and nothing learned twice, whoever updates at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from nasoa.records import Experience
from nasoa.store import experience_blocks, experience_log, version_info
from nasoa.store.base import Base, find_base
from nasoa.store.next_version import Learner, make_next
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import SnapshotInfo

P = TypeVar("P")


@dataclass(frozen=True)
class Update:
    """What an update did; equal versions mean that there was nothing to learn."""

    version_before: int
    version_after: int
    learned: tuple[str, ...]


def update(
    store: ArtifactStore,
    learner: Learner[P],
    *,
    relearn: bool = False,
    loaded: Base[P] | None = None,
) -> Update:
    """Learn every experience that the newest version has not learned, as the next version.

    Of many updates at once one makes the next number; the others start again from it. What a
    version learned is in itself, so nothing is lost and nothing is learned twice; what only a
    corrupt version had learned is learned again.

    Args:
        store: where versions and experiences are.
        learner: the predictor.
        relearn: what a rollback or rebuild left out is learned as well.
        loaded: a version that was loaded before, which is not loaded again if it is the newest. It
            learns, so nothing else may use it afterwards.

    Raises:
        StoreUnavailable: others took the next number too many times in a row.
    """
    unused = [loaded] if loaded else []

    def build(numbers: Sequence[int]) -> Snapshot | Update:
        # What has learned in vain is of no more use.
        known = unused.pop() if unused else None
        if known is not None and known.info.version == max(numbers, default=0):
            base = known
        else:
            base = find_base(store, learner.name, numbers, learner.restore)
        if relearn:
            base = Base(base.predictor, replace(base.info, left_out=(), blocks=()))
        fresh, blocks = _not_learned(store, base.info)
        if not fresh:
            return Update(base.info.version, base.info.version, ())
        return _learned(base, fresh, blocks, numbers, learner)

    made = make_next(store, learner.name, build)
    return made if isinstance(made, Update) else Update(made.parent, made.version, made.new)


def _learned(
    base: Base[P],
    fresh: Sequence[Experience],
    blocks: tuple[int, ...],
    numbers: Sequence[int],
    learner: Learner[P],
) -> Snapshot:
    """The version that learns `fresh` on top of `base`."""
    state, record = learner.learn(base.predictor, base.info.record.carried_over(), fresh)
    new = tuple(experience.task.task_id for experience in fresh)
    info = replace(
        base.info,
        version=max(numbers, default=0) + 1,
        parent=base.info.version,
        kind=version_info.UPDATE,
        learned=tuple(sorted({*base.info.learned, *new})),
        new=new,
        blocks=blocks,
        record=record,
        created_at=learner.created_at(),
        code_version=learner.code_version,
    )
    return Snapshot(state, info)


def _not_learned(
    store: ArtifactStore, info: SnapshotInfo
) -> tuple[list[Experience], tuple[int, ...]]:
    """Experiences that are neither learned nor left out, by time; and all blocks looked through."""
    known = {*info.learned, *info.left_out}
    loose = experience_log.loose_ids(store)
    seen = {*info.blocks}
    unseen = [n for n in experience_blocks.numbers(store) if n not in seen]
    fresh: list[Experience] = []
    for number, lines in experience_blocks.read_readable(store, unseen).items():
        wanted = lines.keys() - known
        found = experience_blocks.decode(number, lines, wanted)
        fresh += found
        known |= wanted
        if len(found) == len(wanted):
            seen.add(number)
    fresh += experience_log.read_loose(store, [t for t in loose if t not in known])
    return experience_log.in_order(fresh), tuple(sorted(seen))
