"""The experience log: one immutable object for each finished fine-tune."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from nasoa.errors import CorruptRecord
from nasoa.records import Experience, from_json, to_json
from nasoa.store import keys
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)


def append(store: ArtifactStore, experience: Experience) -> bool:
    """Record an experience; False where its task has one already."""
    return store.put_if_absent(keys.experience(experience.task.task_id), to_json(experience))


def read(store: ArtifactStore, task_id: str) -> Experience:
    """The experience of a task; `ObjectNotFound` or `CorruptRecord` where there is none."""
    key = keys.experience(task_id)
    return from_json(store.get(key), Experience, key)


def task_ids(store: ArtifactStore) -> list[str]:
    """The tasks that have an experience, sorted."""
    found = store.list(keys.EXPERIENCES)
    return [key.removeprefix(keys.EXPERIENCES).removesuffix(".json") for key in found]


def read_all(store: ArtifactStore, wanted: Iterable[str] | None = None) -> Iterator[Experience]:
    """Experiences of all tasks, or of `wanted` ones; a corrupt one is named and skipped."""
    for task_id in task_ids(store) if wanted is None else wanted:
        try:
            yield read(store, task_id)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
