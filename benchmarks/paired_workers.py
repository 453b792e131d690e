"""Timing two ways of doing something in turn, each in a process of its own.

What a process does to its allocator then reaches only its own measurements. Seconds of the clock
and of the processor are reported: others on the machine slow the first down more than the second.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType

import torch

Work = Callable[[], object]


class Worker:
    """A process that prepares named kinds of work and then does one at a time.

    Args:
        prepare: called in the process; gives the work by name. It must be importable.
        arguments: of `prepare`.
        threads: of torch in the process.
    """

    def __init__(
        self, prepare: Callable[..., dict[str, Work]], *arguments: object, threads: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, prepare, arguments, threads), daemon=True
        )
        self._process.start()
        self.names: list[str] = self._connection.recv()

    def seconds(self, name: str) -> tuple[float, float]:
        """Seconds of the clock and of the processor that one run of the work takes."""
        self._connection.send(name)
        wall_s, cpu_s = self._connection.recv()
        return float(wall_s), float(cpu_s)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.send(None)
        self._process.join()


def _serve(
    connection: Connection,
    prepare: Callable[..., dict[str, Work]],
    arguments: tuple[object, ...],
    threads: int,
) -> None:
    torch.set_num_threads(threads)
    work = prepare(*arguments)
    connection.send(list(work))
    while (name := connection.recv()) is not None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work[name]()
        connection.send((time.perf_counter() - wall_s, time.process_time() - cpu_s))
