"""Lines of the log: for people, or with NASOA_LOG=json one JSON object a line.

A JSON line has `time` (ISO 8601, UTC), `level`, `logger` and `message`; lines of a task `task_id`
and `step`; events `event` and what belongs to it, as `duration_s` or `progress`. Secrets are
redacted and control characters escaped in either form.
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
_FIELDS = "nasoa_fields"  # of a record of the log

_bound: ContextVar[Mapping[str, Any]] = ContextVar("nasoa_log_fields", default=MappingProxyType({}))


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Show the log on standard error, in the form that NASOA_LOG asks for.

    Args:
        level: of lines for people; JSON lines tell events too, so they begin at INFO.

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
    """Show the log of a pipeline's step, where NASOA_LOG asks for it or in a pod, as JSON there.

    Raises:
        InvalidInput: as of `log_to_stderr`.
    """
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        os.environ.setdefault(VARIABLE, JSON)
    if os.environ.get(VARIABLE):
        log_to_stderr()


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Add fields to every JSON line of the block, as `task_id` and `step`."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def log_event(logger: logging.Logger, event: str, message: str, **fields: Any) -> None:
    """Log an event at INFO.

    Args:
        logger: whose.
        event: its name, a word.
        message: for people.
        fields: for programs.
    """
    logger.info("%s", message, extra={_FIELDS: {"event": event, **fields}})


class TextFormatter(logging.Formatter):
    """A line for people; a traceback follows in lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the message with what stands before it, in one line."""
        return escaped(shortened(super().formatMessage(record)))

    def format(self, record: logging.LogRecord) -> str:
        """Return everything, redacted."""
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
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
    """A value of a line whose texts may be shown."""
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items()}
    if isinstance(value, str):
        return escaped_lines(redacted(value))
    return value
