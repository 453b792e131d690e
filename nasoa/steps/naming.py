"""What a task is called, and when something was made."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_task_id(dataset: str) -> str:
    """Sortable by time, with the data set's name, and no two alike."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in dataset)[:40].strip("-")
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{name or 'task'}-{secrets.token_hex(3)}"


def utc_now() -> str:
    """The time in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()
