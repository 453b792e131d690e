"""Sealed objects of a store, whose bytes changed: refused, or the same as before.

Records with a digest, blocks of the experience log, confusion matrices and histories of versions
that lie apart, all in a local store.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from nasoa.records import Experience, from_json, to_json, to_sealed_json
from nasoa.seal import check_tensors, seal_json, seal_tensors
from nasoa.store import (
    confusions,
    experience_blocks,
    experience_log,
    keys,
    open_store,
    thinning,
    version_info,
)
from tests.fuzz.given import place
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, some
from tests.store.finished import experience

Case = tuple[str, bytes]
NAME = "p"
_BOMB = 300_000_000


@cache
def _one() -> Experience:
    return experience("task-1", 0.75)


@cache
def whole(what: str) -> bytes:
    """A whole object."""
    if what in ("record", "loose"):
        return to_sealed_json(_one())
    if what == "tensors":
        from safetensors.numpy import save

        return seal_tensors(save({"x": np.arange(9.0)}, {"a": "b"}))
    if what == "block":
        lines = [seal_json(to_json(experience(f"t{n}", 0.5)).replace(b"\n", b"")) for n in range(3)]
        return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)
    if what == "confusion":
        return gzip.compress(seal_json(b'{"confusion":[[1,0],[0,1]]}'), mtime=0)
    info = version_info.SnapshotInfo(
        name=NAME, version=2, parent=1, new=("a",), created_at="now", code_version="0"
    )
    line = to_sealed_json({**version_info.to_document(info), "num_learned": 3})
    return gzip.compress(line.replace(b"\n", b"") + b"\n", mtime=0)


_KEYS = {
    "loose": keys.experience("task-1"),
    "block": keys.experience_block(1),
    "confusion": keys.confusion("task-1"),
    "history": keys.history(NAME, 1),
}
_ALL = ("record", "record", "loose", "tensors", "tensors", "block", "confusion", "history")


@cache
def _bomb() -> bytes:
    """Zeros that are small when packed, and spaces, which JSON passes over."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b" " * 1_000_000
    return b"".join(
        [*(packing.compress(piece) for _ in range(_BOMB // len(piece))), packing.flush()]
    )


def make(rng: Random) -> Case:
    what = some(rng, _ALL)
    raw = whole(what)
    if what not in _KEYS or what == "loose":
        return what, damaged(rng, raw)
    choice = rng.random()
    if choice < 0.01:
        return what, _bomb()
    if choice < 0.6:  # within what is packed
        return what, gzip.compress(damaged(rng, gzip.decompress(raw)), 1, mtime=0)
    return what, damaged(rng, raw)


def run(case: Case, folder: Path) -> None:
    """Read it; what is accepted has to be what was written."""
    what, raw = case
    if what == "record":
        record = from_json(raw, Experience, "key")
        assert b'"sha256"' not in raw or to_json(record) == to_json(_one())
    elif what == "tensors":
        check_tensors(raw, "key")
    else:
        _run_stored(what, raw, folder)


def _run_stored(what: str, raw: bytes, folder: Path) -> None:
    for key in _KEYS.values():
        (folder / key).unlink(missing_ok=True)
    path = folder / _KEYS[what]
    path.parent.mkdir(parents=True, exist_ok=True)
    place(path.parent, path.name, raw)
    store = open_store(str(folder))
    if what == "confusion":
        found = confusions.with_confusion(store, replace(_one(), confusion=()))
        assert found.confusion in ((), ((1, 0), (0, 1))) or b'"sha256"' not in gzip.decompress(raw)
    elif what == "history":
        thinning.history(store, NAME)
    elif what == "block":
        lines = experience_blocks.read(store, 1)
        experience_blocks.decode(1, lines, lines)
    else:
        assert all(one.task.task_id == "task-1" for one in experience_log.read_all(store))


def warm_up() -> Iterable[Case]:
    return [(what, whole(what)) for what in sorted(set(_ALL))]


KIND = Kind(make, run, warm_up)
