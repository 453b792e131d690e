"""Failed pipeline runs: recorded by their last step, read by reports.

A record is never changed. If the last step could give no reason, and the reason is found later, a
second record holds it, which is read instead.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace

import nasoa
from nasoa.errors import CorruptRecord
from nasoa.records import FailedRun, from_json, to_sealed_json
from nasoa.steps.alerting import report_failed_run
from nasoa.steps.naming import utc_now
from nasoa.store import ArtifactStore, keys, listing, open_store
from nasoa.store.local import LocalStore

logger = logging.getLogger(__name__)

# Success is SUCCEEDED, COMPLETE or CACHED. RUNNING, when all other steps have ended, is a failure
# that was not reported to KFP 2.17 (docs/decisions/0027-*.md).
UNNOTICED = "RUNNING"
FAILED = frozenset({"FAILED", "CANCELED", "CANCELLED", UNNOTICED})
_NO_REASON = "a step ended without reporting to KFP"
_UNNOTICED_MESSAGE = (
    f"{_NO_REASON}: its driver failed, its pod was refused, evicted, stopped at its timeout or out "
    "of memory, its image was not pulled, or the run was cancelled or exceeded its deadline; "
    "nasoa pipeline reconcile records which"
)


def record_failure(
    store_uri: str, run_id: str, pipeline: str, subject: str, state: str, message: str | None
) -> str:
    """Record that a run failed or was cancelled; return the record's key, or "" for a success.

    A step that is retried does not change the record, so there is one for each run. A store folder
    that does not exist is not created. A new record is reported to the webhook in NASOA_ALERT_URL,
    if there is one (`nasoa.steps.alerting`).

    Args:
        store_uri: store for the record.
        run_id: KFP's id of the run.
        pipeline: name of the pipeline.
        subject: subject of the run: the data of a task, or the name of a search.
        state: state of the run in KFP's terms, like "FAILED".
        message: KFP's message, if there is one.
    """
    if state not in FAILED:
        return ""
    store = open_store(store_uri)
    if isinstance(store, LocalStore) and not os.path.exists(store.uri):
        return ""  # a mistake in the first command must not create a folder
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
    if store.put_if_absent(key, to_sealed_json(failed)):
        report_failed_run(failed)
    return key


def lacks_reason(failed: FailedRun) -> bool:
    """Return whether a record says only that a run failed: the last step was told no reason."""
    return not failed.message or failed.message.startswith(_NO_REASON)


def explain_failure(store_uri: str, failed: FailedRun, state: str, message: str) -> str:
    """Record why a run failed whose record has no reason, once; return the record's key.

    The webhook is not asked again: it has got the run already.

    Args:
        store_uri: store of the record.
        failed: the record without a reason.
        state: state of the run in KFP's terms: FAILED or CANCELED.
        message: the reason.
    """
    key = keys.explained_failure(failed.run_id)
    explained = replace(failed, state=state, message=message, code_version=nasoa.__version__)
    open_store(store_uri).put_if_absent(key, to_sealed_json(explained))
    return key


def failed_runs(store_uri: str) -> list[FailedRun]:
    """Return all failed runs, oldest first; a corrupt record is logged and skipped."""
    store = open_store(store_uri)
    explained = set(listing.names(store, keys.EXPLAINED_FAILURES))
    found = []
    for run_id in listing.names(store, keys.FAILURES):
        of_run = [keys.explained_failure(run_id)] if run_id in explained else []
        failed = _first_readable(store, [*of_run, keys.failure(run_id)])
        if failed is not None:
            found.append(failed)
    return sorted(found, key=lambda failed: failed.created_at)


def _first_readable(store: ArtifactStore, candidates: Sequence[str]) -> FailedRun | None:
    for key in candidates:
        try:
            return from_json(store.get(key), FailedRun, key)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return None
