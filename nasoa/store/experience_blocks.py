"""Blocks of the experience log: many experiences in one object, never changed.

A block is gzip of JSON lines, an experience a line; equal experiences give equal bytes. Blocks are
numbered from 1 without gaps, and made with put-if-absent.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterable, Sequence

import msgspec

from nasoa.errors import CorruptRecord
from nasoa.records import Experience
from nasoa.store import keys
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)


def numbers(store: ArtifactStore) -> list[int]:
    """The numbers of all blocks, ascending."""
    names = (key.removeprefix(keys.EXPERIENCE_BLOCKS) for key in store.list(keys.EXPERIENCE_BLOCKS))
    found = (name.removesuffix(".jsonl.gz") for name in names)
    return sorted(int(number) for number in found if number.isdigit())


def read(store: ArtifactStore, number: int) -> list[Experience]:
    """The experiences of a block.

    Raises:
        ObjectNotFound: there is no such block.
        CorruptRecord: it cannot be decoded; names it.
    """
    key = keys.experience_block(number)
    try:
        lines = gzip.decompress(store.get(key)).splitlines()
        return [msgspec.json.decode(line, type=Experience) for line in lines]
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptRecord(key, str(error)) from None


def read_readable(store: ArtifactStore, wanted: Iterable[int]) -> dict[int, list[Experience]]:
    """Blocks by number; a corrupt one is named and left out."""
    found = {}
    for number in wanted:
        try:
            found[number] = read(store, number)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return found


def write(store: ArtifactStore, number: int, experiences: Sequence[Experience]) -> bool:
    """Make a block; False where its number is taken."""
    lines = b"".join(msgspec.json.encode(experience) + b"\n" for experience in experiences)
    return store.put_if_absent(keys.experience_block(number), gzip.compress(lines, mtime=0))
