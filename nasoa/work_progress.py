"""How much of some work is done, for whoever listens, such as a bar of the command line.

Functions that take seconds report their progress wherever they are called from. Nobody listens by
default, and a listener hears only the thread in which it was set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

# Called with what is counted, like "images", how many are done, and how many there are.
Listener = Callable[[str, int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("nasoa_work_progress", default=None)


@contextmanager
def progress_to(listener: Listener) -> Iterator[None]:
    """Call `listener` with the progress of the work in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_progress(unit: str, done: int, total: int) -> None:
    """Report that `done` of `total` are done.

    Args:
        unit: what is counted, in the plural.
        done: number of those that are done.
        total: number of all.
    """
    listener = _listener.get()
    if listener is not None:
        listener(unit, done, total)


def reported(items: Sequence[T], unit: str) -> Iterator[T]:
    """Yield the items, and report each as done when the next one is requested."""
    for number, item in enumerate(items):
        report_progress(unit, number, len(items))
        yield item
    report_progress(unit, len(items), len(items))
