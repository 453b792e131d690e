"""Shards: tars of images and their classes, with an index of class names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

from nasoa.data.shards import ShardSource
from tests.fuzz import tars
from tests.fuzz.given import CONFIG, place, png, read_source
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged_text, odd_text, some

Case = tuple[bytes, str]  # a shard, and classes.txt


def members() -> list[tars.Member]:
    """Six images of two classes."""
    found = []
    for number in range(6):
        found.append(tars.Member(b"%06d.png" % number, png(number)))
        found.append(tars.Member(b"%06d.cls" % number, b"%d" % (number % 2)))
    return found


def make(rng: Random) -> Case:
    own = members()
    if rng.random() < 0.3:
        label = some(rng, [member for member in own if member.name.endswith(b".cls")])
        label.content = odd_text(rng).encode("utf-8", "surrogatepass")
    names = rng.choice(("", "cat\ndog\n", "cat\ndog", "cat\ncat\n", "\n", odd_text(rng)))
    if rng.random() < 0.2:
        names = damaged_text(rng, names)
    return tars.make(rng, own), names


def run(case: Case, folder: Path) -> None:
    raw, names = case
    place(folder, "classes.txt", names.encode("utf-8", "replace"))
    path = place(folder, "train-000000.tar", raw)
    if not names:
        (folder / "classes.txt").unlink()
    read_source(ShardSource(str(path), f"shards:{path}", CONFIG))


def warm_up() -> Iterable[Case]:
    return ((tars.written(members()), ""), (tars.written(members()), "cat\ndog\n"))


KIND = Kind(make, run, warm_up)
