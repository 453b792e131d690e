"""What is fuzzed: the kinds of input, and the part of all cases that each gets."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

# Kind -> cases of a thousand. What costs little and is read often gets more.
SHARES = {
    "encoding": 130,
    "record": 140,
    "sealed": 90,
    "value": 60,
    "layout": 40,
    "zip": 70,
    "tar": 70,
    "npz": 70,
    "safetensors": 70,
    "checkpoint": 30,
    "jpeg": 50,
    "png": 50,
    "tiff": 50,
    "image": 40,
    "labels": 15,
    "runs": 15,
    "shard": 20,
    "pipeline": 8,
    "command": 12,
}


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Args:
        make: gives a case; the same for the same state of the generator.
        run: has nasoa read a case, with a folder for files. Returns where the case is accepted, and
            raises nasoa's error where it is refused.
        warm_up: whole ones, which have to be accepted. They are run once before anything is
            measured, so that imports and caches are not counted.
    """

    make: Callable[[Random], Any]
    run: Callable[[Any, Path], None]
    warm_up: Callable[[], Iterable[Any]]


def load(name: str) -> Kind:
    """The kind of a name, which is that of its module."""
    found: Kind = importlib.import_module(f"tests.fuzz.of_{name}").KIND
    return found


def make(kind: Kind, name: str, seed: int) -> Any:
    """The case with this number."""
    return kind.make(Random(f"{name} {seed}"))


def split(cases: int, names: Iterable[str]) -> dict[str, int]:
    """How many cases of each kind there are among so many; at least one."""
    shares = {name: SHARES[name] for name in names}
    total = sum(shares.values())
    return {name: max(1, round(cases * share / total)) for name, share in shares.items()}
