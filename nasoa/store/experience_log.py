"""The experience log: the results of all finished fine-tunes.

A finished fine-tune is recorded as one immutable object, a loose experience. Older ones may be
packed into blocks (`nasoa.store.compaction`), and are deleted once a block holds them. A reader
lists loose experiences first and blocks afterwards, so one that is packed in between is found in a
block, or in both. If it is in both, the block takes precedence: nothing is lost or counted twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import Experience, to_sealed_json
from nasoa.store import experience_blocks, keys, listing
from nasoa.store.confusions import moved_apart
from nasoa.store.protocol import ArtifactStore
from nasoa.work_progress import report_progress

logger = logging.getLogger(__name__)

A = TypeVar("A")
T = TypeVar("T")

# Concurrent requests to an S3 server; its client keeps 16 connections.
AT_ONCE = 8


def append(store: ArtifactStore, experience: Experience) -> bool:
    """Record an experience; return False if its task already has a loose one.

    A large confusion matrix is stored separately (`nasoa.store.confusions`). If the experience of
    the task was already packed into a block, readers ignore the new one.
    """
    document = to_sealed_json(moved_apart(store, experience))
    return store.put_if_absent(keys.experience(experience.task.task_id), document)


def read(store: ArtifactStore, task_id: str) -> Experience:
    """Return the experience of a task.

    Raises:
        ObjectNotFound: the task has no experience.
        CorruptRecord: it cannot be decoded.
    """
    key = keys.experience(task_id)
    try:
        return experience_blocks.checked(store.get(key), task_id, key)
    except ObjectNotFound:
        packed = _in_blocks(store, {task_id})
        if not packed:
            raise
        return packed[0]


def loose_ids(store: ArtifactStore) -> list[str]:
    """Return the tasks that have a loose experience, sorted."""
    return listing.names(store, keys.EXPERIENCES)


def task_ids(store: ArtifactStore) -> list[str]:
    """Return the tasks that have an experience, sorted."""
    loose = loose_ids(store)
    blocks = experience_blocks.read_readable(store, experience_blocks.numbers(store))
    return sorted({*loose, *(task_id for lines in blocks.values() for task_id in lines)})


def read_loose(store: ArtifactStore, wanted: Iterable[str]) -> list[Experience]:
    """Return the experiences of tasks that were loose when they were listed.

    Those that have been packed since are read from blocks; a corrupt one is logged and skipped.
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
    """Return all experiences, by time; corrupt ones are logged and skipped."""
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
    """Sort experiences in the order in which they are learned: by time."""
    return sorted(experiences, key=lambda e: (e.created_at, e.task.task_id))


def at_once(call: Callable[[A], T], arguments: Iterable[A]) -> Sequence[T]:
    """Return `call` of each argument, in order; calls run in threads, as they mostly wait."""
    several = list(arguments)
    if len(several) < 2:
        return [call(argument) for argument in several]
    results: list[T] = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for result in threads.map(call, several):
            results.append(result)
            report_progress("objects of the store", len(results), len(several))
    return results


def _loose(store: ArtifactStore, task_id: str) -> bytes | None:
    """Return a loose experience as JSON, or None if it no longer exists."""
    try:
        return store.get(keys.experience(task_id))
    except ObjectNotFound:
        return None


def _in_blocks(store: ArtifactStore, wanted: set[str]) -> list[Experience]:
    """Return the experiences of these tasks that are in blocks, reading the newest blocks first."""
    found: list[Experience] = []
    for number in reversed(experience_blocks.numbers(store)):
        for lines in experience_blocks.read_readable(store, [number]).values():
            found += experience_blocks.decode(number, lines, wanted)
        if len(found) == len(wanted):
            break
    return found
