"""The processes of one training: who they are, and what they tell each other.

They are started by torchrun, or by whatever sets the same environment. Process 0 decides, reads and
writes; the others compute. Alone, every method gives back what it was given, at no cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import distributed, nn
from torch.distributed.rendezvous import rendezvous

from nasoa.errors import InvalidInput, NasoaError
from nasoa.training.rendezvous import meet
from nasoa.training.shared_norm import with_shared_statistics

T = TypeVar("T")

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# The others wait while process 0 waits for another run's claim, or while data is copied. A process
# that dies is noticed at once, by its connections, so nothing is gained from giving up early.
PATIENCE = timedelta(days=7)
MEETING = timedelta(minutes=30)  # nodes of a cluster may come one after another


@dataclass(frozen=True, kw_only=True)
class Processes:
    """One of the processes that train a network together.

    Args:
        rank: its number among all.
        count: how many there are.
        local_rank: its number on this machine.
        local_count: how many are on this machine.
        node: number of this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    node: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def part(self, total: int) -> slice:
        """This process's run of `total` things, which the number of processes divides."""
        size = total // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def divide(self, batch_size: int) -> None:
        """Refuse a batch that cannot be divided evenly.

        Raises:
            InvalidInput: the number of processes does not divide the batch size.
        """
        if batch_size % self.count:
            raise InvalidInput(
                f"expected a number of processes that divides the batch of {batch_size} images, "
                f"got {self.count}; start fewer or more"
            )

    def mean(self, value: float) -> float:
        """The mean of all processes' values."""
        return self._sum(value) / self.count if self.count > 1 else value

    def total(self, count: int) -> int:
        """The sum of all processes' counts."""
        return int(self._sum(count)) if self.count > 1 else count

    def agreed(self, values: Sequence[float]) -> Sequence[float]:
        """The values of process 0, in all processes: what depends on time differs between them."""
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(tensor, src=0)
        return cast(list[float], tensor.tolist())

    def from_first(self, work: Callable[[], T]) -> T:
        """What `work` gives in process 0, which alone does it; its error is raised in all."""
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
        """What `work` gives, done in every process; an error in one is raised in all."""
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
        """Every process's value, by rank."""
        if self.count == 1:
            return [value]
        values: list[T | None] = [None] * self.count
        distributed.all_gather_object(values, value)
        return cast(list[T], values)

    def averaging(self, module: nn.Module) -> nn.Module:
        """`module`, with a backward pass that gives the mean of all processes' gradients."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def normalising(self, network: nn.Module) -> nn.Module:
        """A network with batch normalisation by the images of all processes."""
        return with_shared_statistics(network) if self.count > 1 else network

    def _sum(self, value: float) -> float:
        tensor = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(tensor)
        return tensor.item()


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that the environment tells of, connected; `ALONE` where it tells of one.

    With GPUs there is one for each process, and gradients go through NCCL; what processes tell each
    other besides goes through gloo, as everything does on CPUs.

    Raises:
        InvalidInput: the environment is not whole, or there are more processes than GPUs.
    """
    if _number("WORLD_SIZE", 1) <= 1:
        yield ALONE
        return
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if missing:
        raise InvalidInput(
            f"expected {', '.join(ENVIRONMENT)} as torchrun sets them, but {missing[0]} is not "
            "set; start with torchrun, or unset WORLD_SIZE"
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
    store, _rank, _count = next(rendezvous("env://", timeout=MEETING))
    distributed.init_process_group(
        backend, store=meet(store, rank, count), rank=rank, world_size=count, timeout=PATIENCE
    )
    try:
        yield processes
    finally:
        distributed.destroy_process_group()


def portable(error: NasoaError) -> NasoaError:
    """An error with the same words and exit code that another process can take in."""
    # The constructors of some take more than a message, by which alone pickle would call them.
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
