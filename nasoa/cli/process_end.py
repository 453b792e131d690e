"""How the `nasoa` command ends: by itself, by a signal, or because its time limit is over."""

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
TOLD_TO_END = 128 + signal.SIGTERM
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A task that has not ended so long after its limit is ended.
GRACE_S = 0.15
# Temporary files are removed within so long where a signal ends a command, or its time limit.
CLEANING_S = 5.0
LATE_CLEANING_S = 0.15

_owned = threading.Event()


class ToldToEnd(SystemExit):
    """SIGTERM arrived: everything that is held is given back on the way out."""

    def __init__(self) -> None:
        super().__init__(TOLD_TO_END)


def own_process() -> None:
    """Take this process for the command's own, which may be ended.

    The first SIGINT or SIGTERM raises from now on, and the next one ends the process at once;
    either way temporary files are removed.
    """
    _owned.set()
    for number in SIGNALS:
        signal.signal(number, _raise)


def end(code: int) -> NoReturn:
    """Flush output, run exit functions, and end the process, without taking it apart.

    Python takes about a second to take torch apart, in which nothing is done for the user, and
    which no time limit could hold.
    """
    for number in SIGNALS:
        # Temporary files are being removed; only the main thread may change this.
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
    """End the process from any thread, whatever the others do.

    Args:
        code: the exit code.
        line: that is written to standard error.
        cleaning_s: seconds that removing temporary files may take.
    """
    os.write(2, f"nasoa: {line}\n".encode(errors="backslashreplace"))
    cleaning = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
    cleaning.start()
    cleaning.join(cleaning_s)
    os._exit(code)


@contextmanager
def ended_in_time(limit_s: float, began_s: float) -> Iterator[None]:
    """End the command's own process where the block has not ended shortly after a limit.

    All that a task does keeps to the limit by itself. What it cannot interrupt, as a disk that does
    not answer, ends here.

    Args:
        limit_s: in seconds.
        began_s: `time.monotonic()` when the time began.
    """
    if not _owned.is_set():
        yield
        return
    is_over = threading.Event()

    def watch() -> None:
        if not is_over.wait(max(began_s + limit_s + GRACE_S - time.monotonic(), 0.0)):
            spent_s = time.monotonic() - began_s
            problem = too_short(spent_s, limit_s, "in which the task has not ended")
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
    code = INTERRUPTED if number == signal.SIGINT else TOLD_TO_END
    end_at_once(code, "ended at the second signal", CLEANING_S)


def _flushed() -> str:
    """Flush standard output and error; returns what is wrong with the former, or nothing."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        problem = ""  # its reader went away
    except OSError as error:
        problem = error.strerror or str(error)
    else:
        with suppress(OSError):
            sys.stderr.flush()
        return ""
    # What could not be written must not be tried again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return problem
