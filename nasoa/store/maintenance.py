"""Regular maintenance of a store: `nasoa store compact`, by hand or by a job.

Each part may be interrupted at any moment, and may run in several processes at once. A part for
which the credentials have no permission is logged and skipped.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nasoa.errors import CorruptRecord, ObjectNotFound, StoreFailed, StoreUnavailable
from nasoa.seal import has_seal
from nasoa.store import experience_blocks, experience_log, keys, listing, thinning
from nasoa.store.compaction import BLOCK_SIZE, compact
from nasoa.store.local import LocalStore
from nasoa.store.protocol import NAME, ArtifactStore
from nasoa.work_progress import reported

logger = logging.getLogger(__name__)

# A task that has written no checkpoint for this long counts as abandoned.
ABANDONED = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Care:
    """What was done.

    `blocks`, `packed` and `loose` are as in `Compaction`. `quarantined`: new keys of damaged
    experiences. `versions`: number of predictor versions that were deleted by thinning.
    `checkpoints`: number of deleted checkpoints of finished or abandoned tasks. `partial_files`:
    number of deleted temporary files of processes that were killed.
    """

    blocks: int
    packed: int
    loose: int
    quarantined: tuple[str, ...] = ()
    versions: int = 0
    checkpoints: int = 0
    partial_files: int = 0


def care(
    store: ArtifactStore, block_size: int = BLOCK_SIZE, *, now: datetime | None = None
) -> Care:
    """Quarantine damaged experiences, pack the log, and delete what is no longer needed.

    Args:
        store: the store to maintain.
        block_size: number of experiences in a block.
        now: current time; that of this machine by default.

    Raises:
        InvalidInput: `block_size` is not above 0.
        StoreUnavailable: the experience log cannot be read or written.
    """
    quarantined = quarantine(store)
    packed = compact(store, block_size)
    today = now or datetime.now(UTC)
    return Care(
        blocks=packed.blocks,
        packed=packed.packed,
        loose=packed.loose,
        quarantined=tuple(quarantined),
        versions=_allowed("thin out predictor/", lambda: _thin_all(store)),
        checkpoints=_allowed("collect checkpoint/", lambda: collect_checkpoints(store, today)),
        partial_files=store.sweep() if isinstance(store, LocalStore) else 0,
    )


def quarantine(store: ArtifactStore) -> list[str]:
    """Move damaged loose experiences out of the log, and return their new keys.

    One with a correct digest that this release cannot read was written by another release; it is
    not moved.
    """
    found = experience_log.at_once(
        lambda task_id: _moved(store, task_id), experience_log.loose_ids(store)
    )
    return [key for key in found if key]


def _moved(store: ArtifactStore, task_id: str) -> str:
    """Move an experience if it is damaged; return its new key, or ""."""
    key = keys.experience(task_id)
    try:
        raw = store.get(key)
        experience_blocks.checked(raw, task_id, key)
    except ObjectNotFound:
        return ""
    except CorruptRecord as error:
        problem = str(error)
    else:
        return ""
    if has_seal(raw, key):
        return ""
    to = keys.quarantined(task_id, hashlib.sha256(raw).hexdigest()[:8])
    store.put_if_absent(to, raw)
    # The damage may be that of one transfer and not of the object.
    if store.get(key) != raw or store.get(to) != raw:
        return ""
    store.delete(key)
    logger.warning("quarantined: %s; moved to %s", problem, to)
    return to


def collect_checkpoints(store: ArtifactStore, now: datetime) -> int:
    """Delete checkpoints of tasks that have ended or were abandoned; return how many."""
    of_task: dict[str, list[str]] = {}
    for key in store.list(keys.CHECKPOINTS):
        task_id = key.split("/")[1]
        if key.count("/") == 2 and NAME.fullmatch(task_id):
            of_task.setdefault(task_id, []).append(key)
    ended = {*experience_log.task_ids(store)} if of_task else set()
    deleted = 0
    for task_id, found in reported(list(of_task.items()), "tasks with checkpoints"):
        if task_id in ended or _is_old(store, found[-1], now):
            for key in (*found, *store.list(keys.task_claims(task_id))):
                store.delete(key)
            deleted += len(found)
    return deleted


def _is_old(store: ArtifactStore, key: str, now: datetime) -> bool:
    try:
        return now - store.stat(key).modified > ABANDONED
    except ObjectNotFound:
        return False


def _thin_all(store: ArtifactStore) -> int:
    return sum(thinning.thin(store, name) for name in listing.folders(store, keys.PREDICTORS))


def _allowed(what: str, work: Callable[[], int]) -> int:
    """Return the result of `work`, or 0 if the credentials have no permission for it."""
    try:
        return work()
    except StoreFailed:
        raise
    except StoreUnavailable as error:
        logger.warning("skipped: %s: %s", what, error)
        return 0
