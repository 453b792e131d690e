"""Names of tasks, and the current time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_task_id(dataset: str) -> str:
    """Return a unique task id that sorts by time and contains the name of the data set."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in dataset)[:40].strip("-")
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{name or 'task'}-{secrets.token_hex(3)}"


def utc_now() -> str:
    """Return the current time in UTC, in ISO 8601 format."""
    return datetime.now(UTC).isoformat()
