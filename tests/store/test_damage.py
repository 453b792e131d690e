"""Damaged objects are reported, foreign objects are ignored, and everything else works."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasoa.errors import CorruptRecord
from nasoa.records import to_json
from nasoa.steps import learning
from nasoa.store import (
    ArtifactStore,
    confusions,
    experience_blocks,
    experience_log,
    keys,
    open_store,
    snapshots,
    starters,
    thinning,
    version_info,
)
from nasoa.store.claims import claim
from nasoa.store.compaction import compact
from nasoa.store.updating import Update
from tests.store.finished import NAME, experience, finish, newest_version, update

STRANGERS = (".DS_Store", "._t1.json", "Thumbs.db", "desktop.ini", "t1 copy.json", "README", "~x")


def flipped(document: bytes, bit: int) -> bytes:
    damaged = bytearray(document)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def test_each_of_sixty_flipped_bits_of_a_predictor_is_refused(tmp_path: Path) -> None:
    """For the packaged predictor, as stored in a store."""
    store = open_store(str(tmp_path))
    assert snapshots.save(store, learning.first_version(store))
    name = learning.DEFAULT.predictor_name
    key = keys.predictor(name, 1, "safetensors")
    whole = store.get(key)
    rng = np.random.default_rng(0)
    for number in range(60):
        bit = number * 8 * len(whole) // 60 + int(rng.integers(8))
        store.put(key, flipped(whole, bit))
        with pytest.raises(CorruptRecord, match=key):
            snapshots.load(store, name, 1)
    store.put(key, whole)
    assert snapshots.load(store, name, 1).info.version == 1


def test_a_version_with_a_flipped_bit_is_passed_over(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    finish(store, "t1")
    update(store)
    finish(store, "t2")
    update(store)
    key = keys.predictor(NAME, 2, "safetensors")
    whole = store.get(key)
    at = whole.index(np.array(2.0).tobytes())  # the number of experiences
    store.put(key, flipped(whole, 8 * at + 51))
    with caplog.at_level(logging.WARNING):
        assert update(store) == Update(1, 3, ("t2",))
    (line,) = {message for message in caplog.messages if key in message}
    assert "SHA-256" in line


def test_a_starter_of_numbers_that_are_unknown_is_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    header = b'{"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}}'
    store.put(keys.starter(NAME, 1), len(header).to_bytes(8, "little") + header + b"x")
    with pytest.raises(CorruptRecord, match=r"starter/000001.*make another with nasoa predictor"):
        starters.load(store, NAME, 1)


def test_a_starter_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    key = starters.save(store, NAME, {"a": np.arange(100.0)})
    whole = store.get(key)
    store.put(key, flipped(whole, 8 * (len(whole) - 1)))
    with pytest.raises(CorruptRecord, match=key):
        starters.load(store, NAME, 1)


CHANGES: dict[str, Any] = {
    "frozen_stages": ("regime", "frozen_stages", 9),
    "rate": ("regime", "lr", -0.1),
    "iterations": ("regime", "iterations", -1),
    "classes": ("meta_features", "num_classes", 0),
    "similarity": ("meta_features", "domain_similarity", 1.5),
    "validation": (None, "val_accuracy", -1.0),
    "seconds": (None, "elapsed_s", -3.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_experience_out_of_range_is_named_and_stops_nothing(
    tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As an earlier release wrote it, without a digest."""
    store = open_store(str(tmp_path))
    finish(store, "t1", "t3")
    document = json.loads(to_json(experience("t2", 0.5)))
    part, field, value = CHANGES[change]
    inside = document["task"] if part == "meta_features" else document
    (inside[part] if part else inside)[field] = value
    store.put(keys.experience("t2"), json.dumps(document).encode())
    with caplog.at_level(logging.WARNING):
        assert update(store).learned == ("t1", "t3")
    (line,) = caplog.messages
    assert "experience/t2.json" in line
    assert field in line or "accuracy" in line


def test_flipped_bits_of_an_experience_are_refused_or_harmless(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, "t1")
    key = keys.experience("t1")
    whole, right = store.get(key), experience_log.read(store, "t1")
    refused = 0
    for bit in range(0, 8 * len(whole), 61):
        store.put(key, flipped(whole, bit))
        try:
            assert experience_log.read(store, "t1") == right
        except CorruptRecord:
            refused += 1
    assert refused > 200


def test_a_line_of_a_block_that_was_changed_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    finish(store, "t1", "t2")
    compact(store, 2)
    key = keys.experience_block(1)
    lines = gzip.decompress(store.get(key)).replace(b'"lr":0.1', b'"lr":0.3', 1)
    store.put(key, gzip.compress(lines))
    with caplog.at_level(logging.WARNING):
        assert [e.task.task_id for e in experience_log.read_all(store)] == ["t2"]
    (line,) = caplog.messages
    assert f"{key} (t1)" in line


def leave_strangers(store: ArtifactStore, *prefixes: str) -> None:
    for prefix in prefixes:
        for name in STRANGERS:
            store.put(f"{prefix}{name}", b"\0\0\0\1Bud1")


def test_strangers_beside_experiences_and_versions_are_left_alone(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    finish(store, "t1", "t2")
    update(store)
    compact(store, 1)
    finish(store, "t3")
    leave_strangers(
        store,
        keys.EXPERIENCES,
        keys.EXPERIENCE_BLOCKS,
        keys.PREDICTORS,
        keys.predictors(NAME),
        keys.starters(NAME),
    )
    with caplog.at_level(logging.WARNING):
        assert update(store) == Update(1, 2, ("t3",))
        compact(store, 1)
        assert [e.task.task_id for e in experience_log.read_all(store)] == ["t1", "t2", "t3"]
        assert snapshots.other_names(store, NAME) == []
        assert starters.newest(store, NAME) == 0
        assert experience_blocks.numbers(store) == [1, 2, 3]
    assert caplog.messages == []
    assert set(newest_version(store).info.learned) == {"t1", "t2", "t3"}
    assert len([key for key in store.list() if key.endswith(STRANGERS)]) == 5 * len(STRANGERS)


def test_strangers_beside_claims_are_left_alone(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    leave_strangers(store, "claim/")
    with claim(store, "claim/", lambda: False, beat_s=0.05) as held:
        assert held


def spaces(num_bytes: int) -> bytes:
    """Many spaces, which JSON passes over, in a thousandth of the bytes."""
    return gzip.compress(b" " * num_bytes, 9, mtime=0)


def test_what_unpacks_to_more_than_it_can_mean_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    bomb = spaces(200_000_000)
    store.put(keys.experience_block(1), bomb)
    store.put(keys.history(NAME, 1), bomb)
    store.put(keys.confusion("t1"), bomb)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptRecord, match="a line has more than"):
            experience_blocks.read(store, 1)
        assert thinning.history(store, NAME) == {}
        found = confusions.with_confusion(store, replace(experience("t1", 0.5), confusion=()))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.confusion == ()
    assert "skipped: object 'predictor/sum/history/000001.jsonl.gz'" in caplog.text
    assert "it has more than 1152 bytes when unpacked" in caplog.text
    assert peak_bytes < 100_000_000


def test_names_of_what_was_learned_that_grow_beyond_reason() -> None:
    info = version_info.nothing(NAME)
    many = tuple(f"{1_764_400_000 + 31 * n}-{n % 97:04x}" for n in range(20_000))
    whole = version_info.to_metadata(replace(info, learned=many))
    assert version_info.from_metadata(whole).learned == many
    one = zlib.compress(b"a")
    for learned in (zlib.compress(bytes(50_000_000)), one[:-1], one * 2):
        with pytest.raises(ValueError, match="cut short, or too many"):
            version_info.from_metadata({**whole, "learned": base64.b64encode(learned).decode()})
