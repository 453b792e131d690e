"""Runs of pipelines that failed: recorded by their last step, read by reports."""

from __future__ import annotations

import logging
import os

import nasoa
from nasoa.errors import CorruptRecord
from nasoa.records import FailedRun, from_json, to_sealed_json
from nasoa.steps.naming import utc_now
from nasoa.store import keys, listed, open_store
from nasoa.store.local import LocalStore

logger = logging.getLogger(__name__)

# Success is SUCCEEDED, COMPLETE or CACHED. RUNNING, when all other steps have ended, is a failure
# that no step could tell KFP 2.17 of (docs/decisions/0027-*.md).
UNNOTICED = "RUNNING"
FAILED = frozenset({"FAILED", "CANCELED", "CANCELLED", UNNOTICED})
_UNNOTICED_MESSAGE = (
    "a step ended without telling KFP: its driver failed, its pod was refused, evicted, stopped at "
    "its timeout or out of memory, or its image was not pulled; nasoa pipeline status says which"
)


def record_failure(
    store_uri: str, run_id: str, pipeline: str, subject: str, state: str, message: str | None
) -> str:
    """Record that a run failed or was cancelled; returns the key, empty for a success.

    A step that is tried again writes the same record, so there is one for each run. Where no store
    is yet, none is made.

    Args:
        store_uri: where.
        run_id: by which KFP knows the run.
        pipeline: its name.
        subject: what it was about: the data of a task, or the name of a search.
        state: how the steps ended, in KFP's words, like "FAILED".
        message: what KFP says of it; it may say nothing.
    """
    if state not in FAILED:
        return ""
    store = open_store(store_uri)
    if isinstance(store, LocalStore) and not os.path.exists(store.uri):
        return ""  # a mistake in the first command makes no folder
    failed = FailedRun(
        run_id=run_id,
        pipeline=pipeline,
        subject=subject,
        state="FAILED" if state == UNNOTICED else state,
        message=message or (_UNNOTICED_MESSAGE if state == UNNOTICED else ""),
        created_at=utc_now(),
        code_version=nasoa.__version__,
    )
    key = keys.failure(run_id)
    store.put_if_absent(key, to_sealed_json(failed))
    return key


def failed_runs(store_uri: str) -> list[FailedRun]:
    """All runs that failed, oldest first; a corrupt record is named and left out."""
    store = open_store(store_uri)
    found = []
    for run_id in listed.names(store, keys.FAILURES):
        key = keys.failure(run_id)
        try:
            found.append(from_json(store.get(key), FailedRun, key))
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return sorted(found, key=lambda failed: failed.created_at)
