"""Run work in a separate process, so that a crash or a hang is a result, not the end."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, TypeVar

from nasoa.errors import InvalidInput, StoreFailed, StoreUnavailable, TrainingFailed
from nasoa.offline.worker_log import LogKeeper, LogOnce

T = TypeVar("T")

QUIT_S = 2.0
# Errors that a caller may treat differently, the most specific first.
MISTAKES = (StoreFailed, StoreUnavailable, InvalidInput)


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """The outcome of a piece of work.

    `failure` is empty, "timeout" (it was killed), "out of memory" (the system killed it), or
    "crashed"; `detail` explains it. `value` is set unless the work failed.
    """

    value: T | None
    failure: str = ""
    detail: str = ""


class IsolatedWorker:
    """A process that does one piece of work after another, and is replaced when it dies.

    Whatever its functions cache lives in that process. Its warnings are logged here, after the
    piece of work. Start and stop it with `with`.

    Args:
        prepare: called first in every new process, with `arguments`; both must be picklable.
        arguments: arguments of `prepare`.
        log: logs the warnings; workers that share it log the same warning once.
    """

    def __init__(
        self,
        prepare: Callable[..., None],
        arguments: tuple[Any, ...] = (),
        log: LogOnce | None = None,
    ) -> None:
        self._prepare = (prepare, arguments)
        self._log = log or LogOnce()
        self._process: BaseProcess | None = None
        self._connection: Connection[Any, Any] | None = None

    def call(self, work: Callable[..., T], *arguments: Any, timeout_s: float) -> Outcome[T]:
        """Run `work(*arguments)` in the process; all must be picklable.

        The process is killed if the work takes longer than `timeout_s`.

        Raises:
            InvalidInput: the work raised it: a user's mistake is not a failure of the work. If it
                was an error of a store, it is one here too.
            TrainingFailed: the process was told to end, as when its node is shut down.
        """
        connection = self._started()
        try:
            connection.send((work, arguments))
            if not connection.poll(timeout_s):
                self.stop()
                return Outcome(None, "timeout", f"not finished after {timeout_s:g} s, and killed")
            value, mistake, problem, lines = connection.recv()
        except (EOFError, ConnectionError):
            return self._died()
        self._log.log(lines)
        if mistake:
            kind, message = mistake
            raise kind(message)
        return Outcome(value, "crashed" if problem else "", problem)

    def stop(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def __enter__(self) -> IsolatedWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _started(self) -> Connection[Any, Any]:
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, *self._prepare), daemon=True
            )
            self._process.start()
            theirs.close()  # so that the pipe closes when the process ends
        return self._connection

    def _died(self) -> Outcome[Any]:
        assert self._process is not None
        self._process.join(QUIT_S)
        code = self._process.exitcode
        self.stop()
        if code == -signal.SIGTERM:
            # When a node is shut down, all processes of the pod are told to end: the work itself
            # has not failed.
            raise TrainingFailed("the training was told to end (SIGTERM) before it finished")
        if code == -signal.SIGKILL:
            return Outcome(
                None, "out of memory", "the system killed it, as it does when memory runs out"
            )
        return Outcome(None, "crashed", f"the process ended with exit code {code}")


def _serve(
    connection: Connection[Any, Any], prepare: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    """Answer calls until the other side is closed."""
    log = LogKeeper()
    logging.getLogger().addHandler(log)
    prepare(*arguments)
    while True:
        try:
            work, given = connection.recv()
        except (EOFError, ConnectionError):
            return
        answer: tuple[Any, tuple[type[InvalidInput], str] | None, str]
        try:
            answer = (work(*given), None, "")
        except InvalidInput as error:
            kind = next(kind for kind in MISTAKES if isinstance(error, kind))
            answer = (None, (kind, str(error)), "")
        except Exception as error:  # any error belongs to the work, not to the caller
            answer = (None, None, f"{type(error).__name__}: {' '.join(str(error).split())}")
        connection.send((*answer, log.take()))
