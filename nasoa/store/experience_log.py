"""The experience log: what every finished fine-tune found.

A finished fine-tune is one immutable object, a loose experience. Older ones may be packed into
blocks (`nasoa.store.compaction`), and are deleted once a block holds them. A reader lists loose
ones first and blocks afterwards: what was packed in between is then in a block, and in both at
most. The block counts where both have one, so that nothing is lost and nothing counts twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import Experience, to_sealed_json
from nasoa.store import experience_blocks, keys, listed
from nasoa.store.confusions import moved_apart
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)

A = TypeVar("A")
T = TypeVar("T")

# Requests to an S3 server that wait at once; its client keeps 16 connections.
AT_ONCE = 8


def append(store: ArtifactStore, experience: Experience) -> bool:
    """Record an experience; False where its task has a loose one already.

    A large confusion matrix is stored apart (`nasoa.store.confusions`).

    What is recorded for a task after its experience was packed counts for no reader.
    """
    document = to_sealed_json(moved_apart(store, experience))
    return store.put_if_absent(keys.experience(experience.task.task_id), document)


def read(store: ArtifactStore, task_id: str) -> Experience:
    """The experience of a task; `ObjectNotFound` or `CorruptRecord` where there is none."""
    key = keys.experience(task_id)
    try:
        return experience_blocks.checked(store.get(key), task_id, key)
    except ObjectNotFound:
        packed = _in_blocks(store, {task_id})
        if not packed:
            raise
        return packed[0]


def loose_ids(store: ArtifactStore) -> list[str]:
    """The tasks that have a loose experience, sorted."""
    return listed.names(store, keys.EXPERIENCES)


def task_ids(store: ArtifactStore) -> list[str]:
    """The tasks that have an experience, sorted."""
    loose = loose_ids(store)
    blocks = experience_blocks.read_readable(store, experience_blocks.numbers(store))
    return sorted({*loose, *(task_id for lines in blocks.values() for task_id in lines)})


def read_loose(store: ArtifactStore, wanted: Iterable[str]) -> list[Experience]:
    """The experiences of these tasks, which were loose when they were listed.

    Those that were packed meanwhile are found in blocks; a corrupt one is named and skipped.
    """
    found: list[Experience] = []
    gone: set[str] = set()
    for task_id, raw in at_once(lambda task_id: (task_id, _loose(store, task_id)), wanted):
        if raw is None:
            gone.add(task_id)
            continue
        try:
            found.append(experience_blocks.checked(raw, task_id, keys.experience(task_id)))
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return found + (_in_blocks(store, gone) if gone else [])


def read_all(store: ArtifactStore) -> list[Experience]:
    """Every experience, by time; what is corrupt is named and skipped."""
    loose = loose_ids(store)
    blocks = experience_blocks.read_readable(store, experience_blocks.numbers(store))
    packed = {
        e.task.task_id: e
        for number, lines in blocks.items()
        for e in experience_blocks.decode(number, lines, lines)
    }
    rest = read_loose(store, [task_id for task_id in loose if task_id not in packed])
    return in_order({**{e.task.task_id: e for e in rest}, **packed}.values())


def in_order(experiences: Iterable[Experience]) -> list[Experience]:
    """The order in which experiences are learned: by time."""
    return sorted(experiences, key=lambda e: (e.created_at, e.task.task_id))


def at_once(call: Callable[[A], T], arguments: Iterable[A]) -> Sequence[T]:
    """`call` of each argument, in their order; several at a time, as most of it is waiting."""
    several = list(arguments)
    if len(several) < 2:
        return [call(argument) for argument in several]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(call, several))


def _loose(store: ArtifactStore, task_id: str) -> bytes | None:
    """A loose experience as JSON; None where it is not there any more."""
    try:
        return store.get(keys.experience(task_id))
    except ObjectNotFound:
        return None


def _in_blocks(store: ArtifactStore, wanted: set[str]) -> list[Experience]:
    """Those of these tasks that are in a block; the newest blocks are read first."""
    found: list[Experience] = []
    for number in reversed(experience_blocks.numbers(store)):
        for lines in experience_blocks.read_readable(store, [number]).values():
            found += experience_blocks.decode(number, lines, wanted)
        if len(found) == len(wanted):
            break
    return found
