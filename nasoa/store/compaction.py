"""Compaction of the experience log: many loose experiences become one block.

An S3 bucket lists a thousand keys per request, and reading a loose experience takes one request. So
updates of the predictor take longer the more loose experiences there are. A block takes one
request.

Whenever it is interrupted, nothing is lost and nothing is in two blocks:

- A block gets the number after the last block that this process has read, and is made with
  put-if-absent. A concurrent process loses the race for the number, and reads the log again.
- Loose experiences are deleted after their block was read back and compared. If this is
  interrupted, both exist, the block takes precedence, and the next call deletes the loose ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasoa.errors import InvalidInput, StoreUnavailable
from nasoa.records import Experience
from nasoa.store import experience_blocks, experience_log, keys
from nasoa.store.confusions import moved_apart
from nasoa.store.protocol import ArtifactStore

BLOCK_SIZE = 1000


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """What was done: blocks made, experiences packed into them, and those still loose."""

    blocks: int
    packed: int
    loose: int


def compact(store: ArtifactStore, block_size: int = BLOCK_SIZE) -> Compaction:
    """Pack loose experiences, oldest first, into full blocks.

    Experiences that do not fill a block stay loose, as do those that cannot be read.

    Raises:
        InvalidInput: `block_size` is not above 0.
        StoreUnavailable: a block reads back with other content than was written.
    """
    if block_size < 1:
        raise InvalidInput(f"expected blocks of at least 1 experience, got {block_size}")
    blocks = packed = 0
    known: dict[int, set[str]] = {}
    while True:
        loose = experience_log.loose_ids(store)
        numbers = experience_blocks.numbers(store)
        new = experience_blocks.read_readable(store, [n for n in numbers if n not in known])
        known |= {number: set(lines) for number, lines in new.items()}
        doubled = set(loose) & set().union(*known.values())
        experience_log.at_once(lambda task_id: store.delete(keys.experience(task_id)), doubled)
        unpacked = [task_id for task_id in loose if task_id not in doubled]
        chosen = _readable(store, unpacked, block_size)
        if len(chosen) < block_size:
            return Compaction(blocks=blocks, packed=packed, loose=len(unpacked))
        number = max(numbers, default=0) + 1
        if experience_blocks.write(store, number, chosen):
            blocks, packed = blocks + 1, packed + len(chosen)
            _check(store, number, chosen)


def _readable(store: ArtifactStore, task_ids: Sequence[str], wanted: int) -> list[Experience]:
    """Return the first `wanted` readable loose experiences, by time, or as many as there are."""
    found: list[Experience] = []
    if len(task_ids) < wanted:
        return found
    for start in range(0, len(task_ids), wanted):
        some = experience_log.read_loose(store, task_ids[start : start + wanted])
        found += some[: wanted - len(found)]
        if len(found) == wanted:
            break
    # Earlier releases left large confusion matrices in their experiences.
    return experience_log.in_order(moved_apart(store, experience) for experience in found)


def _check(store: ArtifactStore, number: int, experiences: Sequence[Experience]) -> None:
    """Read a new block back, because only experiences that it surely holds may be deleted."""
    lines = experience_blocks.read(store, number)
    if experience_blocks.decode(number, lines, lines) != list(experiences):
        raise StoreUnavailable(
            f"the store {store.uri} returns {keys.experience_block(number)} with other content "
            "than was written; nothing was deleted"
        )
