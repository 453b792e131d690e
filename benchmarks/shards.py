"""The option `--shard I K`: this process makes every K-th run, from the I-th on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.run_log import RunLog

T = TypeVar("T")
Shard = tuple[int, int]
WHOLE: Shard = (0, 1)


def add_shard(parser: argparse.ArgumentParser) -> None:
    """Add `--shard` to a parser; without it, `arguments.shard` is `WHOLE`."""
    parser.add_argument(
        "--shard",
        type=int,
        nargs=2,
        default=WHOLE,
        action=_Checked,
        metavar=("I", "K"),
        help="make only every K-th run, from number I on, beside K - 1 other processes",
    )


def share(work: Sequence[T], shard: Shard) -> Sequence[T]:
    """Return every K-th piece of work from the I-th on.

    Raises:
        ValueError: I is not one of 0 to K - 1.
    """
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(f"expected --shard I K with I from 0 to K - 1, got {index} {count}")
    return work[index::count]


def shard_log(path: Path, key: Sequence[str], shard: Shard = WHOLE) -> RunLog:
    """Return the log of one of several processes, which has its own file beside `path`.

    The log contains the rows of all processes, also of those that wrote to `path` alone or were
    another number.

    Args:
        path: the JSON-lines file of a single process.
        key: names of the fields that identify a run.
        shard: number of the process, and number of processes.
    """
    index, count = shard
    files = [path.with_name(f"{path.stem}.{number}{path.suffix}") for number in range(count)]
    own = path if count == 1 else files[index]
    earlier = path.parent.glob(f"{path.stem}.*{path.suffix}")
    return RunLog(own, key, sorted({path, *files, *earlier} - {own}))


class _Checked(argparse.Action):
    """Stores a shard, unless it is invalid."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        assert values is not None
        index, count = (int(value) for value in values)
        if not 0 <= index < count:
            parser.error(
                "expected --shard I K with a number I from 0 to K - 1, for example --shard 0 2, "
                f"got {index} {count}"
            )
        setattr(namespace, self.dest, (index, count))
