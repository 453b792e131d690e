"""How the `nasoa` command ends: normally, by a signal, or because its time limit is over."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from nasoa.duration import too_short

INTERRUPTED = 1
SIGTERM_EXIT_CODE = 128 + signal.SIGTERM
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A task is terminated if it has not ended this long after its limit.
GRACE_S = 0.15
# Longest time for removing temporary files after a signal, and after the time limit.
CLEANING_S = 5.0
LATE_CLEANING_S = 0.15

_owned = threading.Event()


class ToldToEnd(SystemExit):
    """Raised on SIGTERM, so that claims and files are released as the stack unwinds."""

    def __init__(self) -> None:
        super().__init__(SIGTERM_EXIT_CODE)


def own_process() -> None:
    """Declare that this process belongs to the command alone, which may then terminate it.

    From now on, the first SIGINT or SIGTERM raises, and the next one terminates the process at
    once. Temporary files are removed in both cases.
    """
    _owned.set()
    for number in SIGNALS:
        signal.signal(number, _raise)


def end(code: int) -> NoReturn:
    """Flush output, run exit functions, and exit without the interpreter's finalization.

    Finalizing torch takes about a second, which is of no use and could exceed a time limit.
    """
    for number in SIGNALS:
        # Exit functions remove temporary files. Only the main thread may set signal handlers.
        with suppress(ValueError):
            signal.signal(number, signal.SIG_IGN)
    problem = _flushed()
    if problem:
        code = code or 1
        with suppress(OSError):
            sys.stderr.write(f"nasoa: standard output cannot be written: {problem}\n")
            sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(code)


def end_at_once(code: int, line: str, cleaning_s: float) -> NoReturn:
    """Terminate the process from any thread, whatever other threads do.

    Args:
        code: exit code.
        line: message for standard error.
        cleaning_s: longest time in seconds for removing temporary files.
    """
    os.write(2, f"nasoa: {line}\n".encode(errors="backslashreplace"))
    cleaning = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
    cleaning.start()
    cleaning.join(cleaning_s)
    os._exit(code)


@contextmanager
def ended_in_time(limit_s: float, began_s: float) -> Iterator[None]:
    """Terminate the command's process if the block has not ended shortly after a time limit.

    A task keeps its limit by itself. This is for what it cannot interrupt, such as a disk that does
    not answer. It does nothing unless `own_process` was called.

    Args:
        limit_s: time limit in seconds.
        began_s: `time.monotonic()` when the time started.
    """
    if not _owned.is_set():
        yield
        return
    is_over = threading.Event()

    def watch() -> None:
        if not is_over.wait(max(began_s + limit_s + GRACE_S - time.monotonic(), 0.0)):
            spent_s = time.monotonic() - began_s
            problem = too_short(spent_s, limit_s, "in which the task did not end")
            end_at_once(2, str(problem), LATE_CLEANING_S)

    threading.Thread(target=watch, name="time-limit", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _raise(number: int, _frame: FrameType | None) -> None:
    for other in SIGNALS:
        signal.signal(other, _end_again)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise ToldToEnd


def _end_again(number: int, _frame: FrameType | None) -> None:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    code = INTERRUPTED if number == signal.SIGINT else SIGTERM_EXIT_CODE
    end_at_once(code, "terminated by a second signal", CLEANING_S)


def _flushed() -> str:
    """Flush standard output and error; return the problem with standard output, or ""."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        problem = ""  # the reader is gone
    except OSError as error:
        problem = error.strerror or str(error)
    else:
        with suppress(OSError):
            sys.stderr.flush()
        return ""
    # What could not be written must not be written again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return problem
