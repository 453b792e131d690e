"""A failed run is reported to a webhook that the environment names."""

from __future__ import annotations

import http.client
import json
import logging
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import nasoa
from nasoa.records import FailedRun
from nasoa.redaction import redacted

logger = logging.getLogger(__name__)

VARIABLE = "NASOA_ALERT_URL"
TIMEOUT_S = 5.0  # to connect, and for each part of the answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would be followed without the document, and possibly to somebody else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Make an error of it."""


def report_failed_run(failed: FailedRun) -> None:
    """Post a failed run as one JSON document to the address in NASOA_ALERT_URL; else do nothing.

    What goes wrong is logged and not raised: the record in the store is what counts. Such an
    address often holds a key in its path, so the log names its host alone.
    """
    url = os.environ.get(VARIABLE, "").strip()
    if not url:
        return
    host = "its host"
    try:
        parts = urlsplit(url)
        host = parts.hostname or host
        if parts.scheme not in ("http", "https") or not parts.hostname:
            problem = "expected an address like https://host/path"
        else:
            problem = _post(url, _document(failed))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None)
        problem = type(reason if isinstance(reason, Exception) else error).__name__
    if problem:
        logger.warning(
            "the failed run %s was not reported to %s (%s): %s",
            failed.run_id, host, VARIABLE, problem,
        )  # fmt: skip


def _document(failed: FailedRun) -> bytes:
    """What is posted, without secrets. `text` is what chats such as Slack and Mattermost show."""
    fields = {
        "run_id": failed.run_id,
        "pipeline": failed.pipeline,
        "subject": failed.subject,
        "state": failed.state,
        "message": failed.message,
    }
    fields = {name: redacted(value) for name, value in fields.items()}
    about = " of ".join(filter(None, (fields["pipeline"], fields["subject"])))
    ended = "was cancelled" if fields["state"].startswith("CANCEL") else "failed"
    said = f": {fields['message']}" if fields["message"] else ""
    text = f"nasoa: {about} {ended} (run {fields['run_id']}){said}"
    return json.dumps({**fields, "text": text}).encode()


def _post(url: str, document: bytes) -> str:
    """Return what went wrong, as the answer says it; empty where nothing did."""
    request = urllib.request.Request(
        url,
        data=document,
        method="POST",
        headers={
            "Content-Type": "application/json",
            "User-Agent": f"nasoa/{nasoa.__version__}",
        },
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return f"it answered {error.code}"
