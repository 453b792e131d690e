"""Time two ways of doing something in turns, each in a separate process.

What a process does to its allocator then affects only its own measurements. Wall and CPU seconds
are reported: other processes on the machine slow the former down more than the latter.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType

import torch

from benchmarks.machine import machine

Work = Callable[[], object]
# For each name of work, and each repeat: wall and CPU seconds.
Seconds = dict[str, list[tuple[float, float]]]


class Worker:
    """A process that prepares named kinds of work and then does one at a time.

    Args:
        prepare: called in the process; returns the work by name. It must be importable.
        arguments: arguments of `prepare`.
        threads: number of torch threads in the process.
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
        self.names: list[str]
        self.prepare_s: float  # what `prepare` took
        self.names, self.prepare_s = self._connection.recv()

    def seconds(self, name: str) -> tuple[float, float]:
        """Return the wall and CPU seconds that one run of the work takes."""
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


def in_turns(workers: Sequence[Worker], repeats: int) -> Seconds:
    """Return the seconds of all work of some workers, which take turns in every repeat."""
    seconds: Seconds = {}
    for _ in range(repeats):
        for worker in workers:
            for kind in worker.names:
                seconds.setdefault(kind, []).append(worker.seconds(kind))
    return seconds


def ratios(seconds: Seconds, own: str) -> dict[str, dict[str, float]]:
    """Return how many times as long all other work takes as `own`: medians, of either clock."""
    return {
        name: {
            kind: median([a[clock] / b[clock] for a, b in zip(pairs, seconds[own], strict=True)])
            for kind, pairs in seconds.items()
            if kind != own
        }
        for clock, name in enumerate(("wall_ratio", "cpu_ratio"))
    }


def rates(seconds: Seconds, batch_size: int) -> dict[str, float]:
    """Return the images per CPU second: medians."""
    return {kind: median([batch_size / cpu for _, cpu in s]) for kind, s in seconds.items()}


def median(values: list[float]) -> float:
    """Return the median, to three digits."""
    return float(f"{statistics.median(values):.3g}")


def result(options: argparse.Namespace, rows: Sequence[object]) -> dict[str, object]:
    """Return the document of a benchmark with these options."""
    return {
        "machine": machine(("torch", "torchvision")),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "load_average": os.getloadavg(),
        "threads": options.threads,
        "batch_size": options.batch_size,
        "repeats": options.repeats,
        "rows": rows,
    }


def _serve(
    connection: Connection,
    prepare: Callable[..., dict[str, Work]],
    arguments: tuple[object, ...],
    threads: int,
) -> None:
    torch.set_num_threads(threads)
    started = time.perf_counter()
    work = prepare(*arguments)
    connection.send((list(work), time.perf_counter() - started))
    while (name := connection.recv()) is not None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work[name]()
        connection.send((time.perf_counter() - wall_s, time.process_time() - cpu_s))
