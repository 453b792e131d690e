"""Encodings of architectures: text that is nearly one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

from nasoa.arch import parse, parse_block
from nasoa.arch.encoding import check
from nasoa.offline.canonical import canonical, canonical_block
from nasoa.zoo.et_nas import ET_NAS
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged_text, odd_text, often, some

_CHANNELS = (2, 4, 8, 16, 48, 64, 65536, 65538, 0, 1, 3, 2**31, 2**64)
PUBLISHED = tuple(model.encoding for model in ET_NAS)


def encoding(rng: Random) -> str:
    """An encoding that is formed well, and may be buildable."""
    count = rng.randrange(1, 4)
    block = "".join(f"{rng.randrange(5)}{rng.randrange(5)}" for _ in range(count - 1))
    block += f"{rng.randrange(5)}-"
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        source = rng.randrange(count)
        block += f"{rng.choice('ac')}{source}{rng.randrange(source + 1, count + 1)}"
    stages = ["".join(rng.choice("11111223") for _ in often(rng, 2.5)) for _ in range(4)]
    return f"{block} {some(rng, _CHANNELS[:6])} {'-'.join(stages)}"


def make(rng: Random) -> str:
    text = some(rng, PUBLISHED) if rng.random() < 0.2 else encoding(rng)
    choice = rng.random()
    if choice < 0.15:
        parts = text.split(" ")
        part = rng.randrange(3)
        odd = (odd_text(rng), str(some(rng, _CHANNELS)), "-".join("1" * 9), parts[part] * 50)
        parts[part] = some(rng, odd)
        text = " ".join(parts)
    elif choice < 0.2:
        text = text.replace("1", "1" * rng.choice((10, 1000, 100_000)), 1)
    elif choice < 0.7:
        text = damaged_text(rng, text)
    if rng.random() < 0.1:
        text = text.replace(" ", rng.choice(("_", "  ", "\t", "__", " _")))
    return text


def run(case: str, _folder: Path) -> None:
    """Parse it; what is accepted has to come back the same."""
    if case.startswith("0"):
        parse_block(case.split(" ", maxsplit=1)[0])
    spec = parse(case)
    text = str(spec)
    assert parse(text) == spec
    assert text.split() == case.replace("_", " ").split() or "0" in case
    check(spec)
    assert canonical_block(spec.block) == canonical_block(canonical_block(spec.block))
    assert canonical(canonical(spec)) == canonical(spec)


def warm_up() -> Iterable[str]:
    return PUBLISHED


KIND = Kind(make, run, warm_up)
