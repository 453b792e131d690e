"""Blocks of the experience log: many experiences in one immutable object.

A block is gzipped JSON lines, one line per experience; equal experiences give equal bytes. Blocks
are numbered from 1 without gaps, and made with put-if-absent. A block is read as lines by task,
because most readers need only a few of them, and decoding all takes most of the time.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Container, Iterable, Sequence

import msgspec

from nasoa.errors import CorruptRecord
from nasoa.records import Experience, from_json
from nasoa.seal import seal_json
from nasoa.store import keys, listing
from nasoa.store.gzipped import unpacked_lines
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)

Lines = dict[str, bytes]


class _TaskOfLine(msgspec.Struct):
    task_id: str


class _Line(msgspec.Struct):
    """The part of a line that is always decoded: the task that it belongs to."""

    task: _TaskOfLine


# Made on import and not at its first use, which may be in two threads at once (see
# `nasoa.records.from_json`).
_DECODER = msgspec.json.Decoder(_Line)


def numbers(store: ArtifactStore) -> list[int]:
    """Return the numbers of all blocks, ascending."""
    return listing.numbers(store, keys.EXPERIENCE_BLOCKS, ".jsonl.gz")


def read(store: ArtifactStore, number: int) -> Lines:
    """Return the experiences of a block as JSON, by task, in the order of the block.

    Raises:
        ObjectNotFound: there is no such block.
        CorruptRecord: the block cannot be decoded.
    """
    key = keys.experience_block(number)
    lines = unpacked_lines(store.get(key), key)
    try:
        return {_DECODER.decode(line).task.task_id: line for line in lines}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptRecord(key, str(error)) from None


def read_readable(store: ArtifactStore, wanted: Iterable[int]) -> dict[int, Lines]:
    """Return blocks by number; a corrupt one is logged and left out."""
    found = {}
    for number in wanted:
        try:
            found[number] = read(store, number)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return found


def decode(number: int, lines: Lines, wanted: Container[str]) -> list[Experience]:
    """Return the experiences of wanted tasks in a block; corrupt ones are logged and skipped."""
    found = []
    for task_id, line in lines.items():
        if task_id in wanted:
            key = f"{keys.experience_block(number)} ({task_id})"
            try:
                found.append(checked(line, task_id, key))
            except CorruptRecord as error:
                logger.warning("skipped: %s", error)
    return found


def checked(raw: bytes, task_id: str, key: str) -> Experience:
    """Decode the experience of a task from JSON, and check it.

    Raises:
        CorruptRecord: it cannot be decoded, belongs to another task, or has an invalid accuracy.
    """
    experience = from_json(raw, Experience, key)
    if experience.task.task_id != task_id:
        raise CorruptRecord(key, f"it belongs to the task {experience.task.task_id!r}")
    for name, accuracy in (("an", experience.accuracy), ("a validation", experience.val_accuracy)):
        if not 0 <= accuracy <= 1:
            raise CorruptRecord(key, f"expected {name} accuracy in [0, 1], got {accuracy}")
    return experience


def write(store: ArtifactStore, number: int, experiences: Sequence[Experience]) -> bool:
    """Write a block; return False if its number is taken."""
    lines = b"".join(seal_json(msgspec.json.encode(one)) + b"\n" for one in experiences)
    return store.put_if_absent(keys.experience_block(number), gzip.compress(lines, mtime=0))
