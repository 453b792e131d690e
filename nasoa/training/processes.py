"""Processes that train a network together, and their communication.

They are started by torchrun, or by anything that sets the same environment variables. All processes
compute; process 0 also decides, reads and writes. In a single process, the methods that communicate
return their own value at no cost.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import distributed, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nasoa.errors import InvalidInput, NasoaError
from nasoa.training.addresses import (
    LOOPBACK,
    is_on_every_address,
    store_of_keys,
    use_interface_of,
)
from nasoa.training.rendezvous import meet
from nasoa.training.shared_norm import with_shared_statistics

logger = logging.getLogger(__name__)
T = TypeVar("T")

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# The others wait while process 0 waits for another run's claim, or while data is copied. Nothing is
# gained from giving up early, as closed connections reveal at once that a process has died.
PATIENCE = timedelta(days=7)
MEETING = timedelta(minutes=30)  # nodes of a cluster may start one after another


@dataclass(frozen=True, kw_only=True)
class Processes:
    """One of the processes that train a network together.

    Args:
        rank: number of the process among all processes.
        count: number of processes.
        local_rank: number of the process on this machine.
        local_count: number of processes on this machine.
        node: number of this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    node: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that decides, writes and reports."""
        return self.rank == 0

    def part(self, total: int) -> slice:
        """Return this process's part of `total` items; the number of processes divides `total`."""
        size = total // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def divide(self, batch_size: int) -> None:
        """Check that a batch can be divided evenly between the processes.

        Raises:
            InvalidInput: the number of processes does not divide the batch size.
        """
        if batch_size % self.count:
            raise InvalidInput(
                f"expected a number of processes that divides the batch size of {batch_size} "
                f"images, got {self.count}; start fewer or more processes"
            )

    def mean(self, value: float) -> float:
        """Return the mean of the values of all processes."""
        return self._sum(value) / self.count if self.count > 1 else value

    def total(self, count: int) -> int:
        """Return the sum of the counts of all processes."""
        return int(self._sum(count)) if self.count > 1 else count

    def agreed(self, values: Sequence[float]) -> Sequence[float]:
        """Return the values of process 0 in all processes.

        This is for values that depend on time, which differ between processes.
        """
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(tensor, src=0)
        return cast(list[float], tensor.tolist())

    def from_first(self, work: Callable[[], T]) -> T:
        """Call `work` in process 0 only; return its result or raise its `NasoaError` in all."""
        if self.count == 1:
            return work()
        told: list[tuple[T | None, NasoaError | None]] = [(None, None)]
        if self.is_first:
            try:
                told = [(work(), None)]
            except NasoaError as error:
                told = [(None, portable(error))]
        distributed.broadcast_object_list(told, src=0, device=torch.device("cpu"))
        result, failure = told[0]
        if failure is not None:
            raise failure
        return cast(T, result)

    def together(self, work: Callable[[], T]) -> T:
        """Call `work` in every process and return its result; a `NasoaError` is raised in all."""
        if self.count == 1:
            return work()
        result: T | None = None
        failure: NasoaError | None = None
        try:
            result = work()
        except NasoaError as error:
            failure = portable(error)
        failures = [error for error in self.gathered(failure) if error is not None]
        if failures:
            raise failures[0]
        return cast(T, result)

    def gathered(self, value: T) -> list[T]:
        """Return the values of all processes, by rank."""
        if self.count == 1:
            return [value]
        values: list[T | None] = [None] * self.count
        distributed.all_gather_object(values, value)
        return cast(list[T], values)

    def averaging(self, module: nn.Module) -> nn.Module:
        """Return a module whose backward pass averages the gradients of all processes."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def normalising(self, network: nn.Module) -> nn.Module:
        """Return a network whose batch normalisation uses the images of all processes."""
        return with_shared_statistics(network) if self.count > 1 else network

    def _sum(self, value: float) -> float:
        tensor = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(tensor)
        return tensor.item()


ALONE = Processes()


@contextmanager
def process_group() -> Iterator[Processes]:
    """Connect to the processes that the environment describes; yield `ALONE` if there is only one.

    If there are GPUs, each process uses one of them, and gradients are exchanged by NCCL. All other
    communication, and all communication on CPUs, uses Gloo. Processes listen on loopback if all of
    them are on one machine, otherwise on the interface that leads to MASTER_ADDR.

    Raises:
        InvalidInput: environment variables are missing or malformed, MASTER_ADDR cannot be used, or
            there are more processes than GPUs on this machine.
    """
    if _number("WORLD_SIZE", 1) <= 1:
        yield ALONE
        return
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if missing:
        raise InvalidInput(
            f"expected {', '.join(ENVIRONMENT)} as torchrun sets them, but {missing[0]} is not "
            "set; start with python -m nasoa.training.torchrun, or unset WORLD_SIZE"
        )
    rank, count = _number("RANK", 0), _number("WORLD_SIZE", 1)
    local_count = _number("LOCAL_WORLD_SIZE", count)
    processes = Processes(
        rank=rank,
        count=count,
        local_rank=_number("LOCAL_RANK", rank),
        local_count=local_count,
        node=_number("GROUP_RANK", rank // max(local_count, 1)),
    )
    backend = "gloo"
    if torch.cuda.is_available():
        _take_gpu(processes)
        backend = "cpu:gloo,cuda:nccl"
    store = _store_of_keys(rank, count)
    distributed.init_process_group(
        backend, store=meet(store, rank, count), rank=rank, world_size=count, timeout=PATIENCE
    )
    try:
        yield processes
    finally:
        distributed.destroy_process_group()


def _store_of_keys(rank: int, count: int) -> TCPStore:
    """Return the key-value store for the rendezvous: that of torchrun, or else of process 0."""
    host, port = os.environ["MASTER_ADDR"], _number("MASTER_PORT", 0)
    # Without LOCAL_WORLD_SIZE there may be other machines.
    one_machine = os.environ.get("LOCAL_WORLD_SIZE") == str(count)
    use_interface_of(LOOPBACK if one_machine else host, port)
    is_torchruns = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True)
    if is_torchruns and rank == 0 and is_on_every_address(port):
        logger.warning(
            "torchrun listens on every address of this machine at port %s, where others could run "
            "code in this training; start it with python -m nasoa.training.torchrun",
            port,
        )
    if one_machine and not is_torchruns:
        host = LOOPBACK
    if rank == 0 and not is_torchruns:
        return store_of_keys(host, port, MEETING)
    return TCPStore(host, port, is_master=False, timeout=MEETING, wait_for_workers=False)


def portable(error: NasoaError) -> NasoaError:
    """Return an error with the same message and exit code that can be sent to another process."""
    # Some constructors need more than a message, which is all that pickle would pass.
    kind = InvalidInput if isinstance(error, InvalidInput) else NasoaError
    return kind(str(error))


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, str(otherwise))
    if not text.isdecimal():
        raise InvalidInput(f"expected {name} to be a number, as torchrun sets it, got {text!r}")
    return int(text)


def _take_gpu(processes: Processes) -> None:
    gpus = torch.cuda.device_count()
    if processes.local_rank >= gpus:
        raise InvalidInput(
            f"expected a GPU for each process, but there are {gpus} for {processes.local_count} "
            f"processes here; start torchrun with --nproc-per-node {gpus}"
        )
    torch.cuda.set_device(processes.local_rank)
