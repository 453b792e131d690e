"""What worker processes log, passed on to the process that started them.

A spawned process has no logging of its own, and several workers that read the same data log the
same. So the worker keeps its lines, and the process that started it logs each of them once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class LogLine:
    """A line that a worker logged: name of the logger, level, and text."""

    logger: str
    level: int
    message: str


class LogKeeper(logging.Handler):
    """A handler that keeps the lines until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[LogLine] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line of a record."""
        self._lines.append(LogLine(record.name, record.levelno, record.getMessage()))

    def take(self) -> tuple[LogLine, ...]:
        """Return the lines kept so far, and forget them."""
        lines, self._lines = self._lines, []
        return tuple(lines)


class LogOnce:
    """Logs lines of workers, each line once."""

    def __init__(self) -> None:
        self._logged: set[LogLine] = set()

    def log(self, lines: Iterable[LogLine]) -> None:
        """Log the lines that have not been logged yet."""
        for line in lines:
            if line not in self._logged:
                self._logged.add(line)
                logging.getLogger(line.logger).log(line.level, "%s", line.message)
