"""Logging: lines for people or, with NASOA_LOG=json, one JSON object per line.

A JSON line has `time` (ISO 8601, UTC), `level`, `logger` and `message`. Lines about a task also
have `task_id` and `step`; events have `event` and their own fields, such as `duration_s` or
`progress`. Both formats redact secrets and escape control characters.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from nasoa.errors import InvalidInput
from nasoa.plain_text import escaped, escaped_lines, shortened
from nasoa.redaction import redacted

VARIABLE = "NASOA_LOG"
TEXT, JSON = "text", "json"
_FIELDS = "nasoa_fields"  # attribute of a `logging.LogRecord`

_bound: ContextVar[Mapping[str, Any]] = ContextVar("nasoa_log_fields", default=MappingProxyType({}))


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Write the log to standard error, in the format that NASOA_LOG selects.

    Args:
        level: lowest level to write. JSON lines include events, so they are written from INFO on.

    Raises:
        InvalidInput: NASOA_LOG is neither text nor json.
    """
    form = os.environ.get(VARIABLE) or TEXT
    if form not in (TEXT, JSON):
        raise InvalidInput(f"expected {VARIABLE} to be {TEXT} or {JSON}, got {form!r}")
    handler = logging.StreamHandler(sys.stderr)
    if form == JSON:
        handler.setFormatter(JsonFormatter())
        logging.basicConfig(level=min(level, logging.INFO), handlers=[handler])
    else:
        handler.setFormatter(TextFormatter("%(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=level, handlers=[handler])


def log_in_pod() -> None:
    """Write the log of a pipeline step to standard error in a pod, or if NASOA_LOG is set.

    In a pod the default format is JSON.

    Raises:
        InvalidInput: see `log_to_stderr`.
    """
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        os.environ.setdefault(VARIABLE, JSON)
    if os.environ.get(VARIABLE):
        log_to_stderr()


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Add fields such as `task_id` and `step` to every JSON line logged within the block."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def log_event(logger: logging.Logger, event: str, message: str, **fields: Any) -> None:
    """Log an event at INFO.

    Args:
        logger: logger to write to.
        event: name of the event, one word.
        message: text for people.
        fields: values for programs.
    """
    logger.info("%s", message, extra={_FIELDS: {"event": event, **fields}})


class TextFormatter(logging.Formatter):
    """Formats a record as a line for people; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the formatted message as one line, with control characters escaped."""
        return escaped(shortened(super().formatMessage(record)))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and any traceback, with secrets redacted."""
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with secrets redacted."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shortened(record.getMessage()),
            **_bound.get(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(_shown(line), default=str)


def _shown(value: Any) -> Any:
    """Return a value with all texts redacted and escaped."""
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items()}
    if isinstance(value, str):
        return escaped_lines(redacted(value))
    return value
