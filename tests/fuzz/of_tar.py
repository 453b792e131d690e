"""Tar archives as DATA, packed or not."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from random import Random

from tests.fuzz import tars
from tests.fuzz.given import NAMES, place, png, read_path
from tests.fuzz.kinds import Kind


def members() -> list[tars.Member]:
    """A tar of two classes."""
    files = [tars.Member(name.encode(), png(index)) for index, name in enumerate(NAMES)]
    return [tars.Member(b"cat/", b"", b"5"), *files]


def make(rng: Random) -> bytes:
    raw = tars.make(rng, members())
    return tars.compressed(rng, raw) if rng.random() < 0.2 else raw


def run(case: bytes, folder: Path) -> None:
    read_path(place(folder, "set.tar", case), whole=len(case) % 16 == 1)


def warm_up() -> Iterable[bytes]:
    raw = tars.written(members())
    long_name = [tars.Member(b"././@LongLink", b"cat/" + b"x" * 200 + b".png\0", b"L")]
    return (
        raw,
        gzip.compress(raw),
        tars.written([*long_name, *members()]),
        tars.written([tars.pax({"path": "cat/7.png"}), *members()]),
    )


KIND = Kind(make, run, warm_up)
