"""Blocks of the experience log: many experiences in one object, never changed.

A block is gzip of JSON lines, an experience a line; equal experiences give equal bytes. Blocks are
numbered from 1 without gaps, and made with put-if-absent. A block is read as lines by task, since
most readers look for a few of them only, and making records of all takes most of the time.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Container, Iterable, Sequence

import msgspec

from nasoa.errors import CorruptRecord
from nasoa.records import Experience, from_json
from nasoa.seal import seal_json
from nasoa.store import keys, listed
from nasoa.store.packed import unpacked_lines
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)

Lines = dict[str, bytes]


class _TaskOfLine(msgspec.Struct):
    task_id: str


class _Line(msgspec.Struct):
    """What has to be known of every line: whose it is."""

    task: _TaskOfLine


# Made here and not when it is first used, as two threads may do that at once (see
# `nasoa.records.from_json`).
_DECODER = msgspec.json.Decoder(_Line)


def numbers(store: ArtifactStore) -> list[int]:
    """The numbers of all blocks, ascending."""
    return listed.numbers(store, keys.EXPERIENCE_BLOCKS, ".jsonl.gz")


def read(store: ArtifactStore, number: int) -> Lines:
    """The experiences of a block as JSON, by task, in their order.

    Raises:
        ObjectNotFound: there is no such block.
        CorruptRecord: it cannot be decoded; names it.
    """
    key = keys.experience_block(number)
    lines = unpacked_lines(store.get(key), key)
    try:
        return {_DECODER.decode(line).task.task_id: line for line in lines}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptRecord(key, str(error)) from None


def read_readable(store: ArtifactStore, wanted: Iterable[int]) -> dict[int, Lines]:
    """Blocks by number; a corrupt one is named and left out."""
    found = {}
    for number in wanted:
        try:
            found[number] = read(store, number)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return found


def decode(number: int, lines: Lines, wanted: Container[str]) -> list[Experience]:
    """The experiences of wanted tasks among a block's lines; a corrupt one is named and skipped."""
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
    """The experience of a task from its JSON form.

    Raises:
        CorruptRecord: it cannot be decoded, is of another task, or no predictor could learn it.
    """
    experience = from_json(raw, Experience, key)
    if experience.task.task_id != task_id:
        raise CorruptRecord(key, f"it is of the task {experience.task.task_id!r}")
    for name, accuracy in (("an", experience.accuracy), ("a validation", experience.val_accuracy)):
        if not 0 <= accuracy <= 1:
            raise CorruptRecord(key, f"expected {name} accuracy in [0, 1], got {accuracy}")
    return experience


def write(store: ArtifactStore, number: int, experiences: Sequence[Experience]) -> bool:
    """Make a block; False where its number is taken."""
    lines = b"".join(seal_json(msgspec.json.encode(one)) + b"\n" for one in experiences)
    return store.put_if_absent(keys.experience_block(number), gzip.compress(lines, mtime=0))
