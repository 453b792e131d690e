"""Sealed documents: every single change is detected or harmless."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nasoa import seal
from nasoa.errors import CorruptRecord
from nasoa.records import ZooEntry, from_json, to_json, to_sealed_json
from tests.store.finished import experience

ENTRY = experience("t", 0.5).model
TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7)}
TEXTS = {"info": '{"x": "é"}', "other": '"sha256":"0"'}
SEALED = seal.seal_tensors(save(TENSORS, TEXTS))


def test_readers_that_know_nothing_of_seals_read_the_same() -> None:
    sealed = to_sealed_json(ENTRY)
    assert msgspec.json.decode(sealed, type=ZooEntry) == ENTRY
    assert from_json(sealed, ZooEntry) == from_json(to_json(ENTRY), ZooEntry) == ENTRY
    loaded = load(SEALED)
    assert {name: value.tolist() for name, value in loaded.items()} == {
        name: value.tolist() for name, value in TENSORS.items()
    }
    length = int.from_bytes(SEALED[:8], "little")
    metadata = json.loads(SEALED[8 : 8 + length])["__metadata__"]
    assert {**metadata, "sha256": ""} == {**TEXTS, "sha256": ""}


def test_a_seal_of_one_line_stays_one_line() -> None:
    sealed = seal.seal_json(msgspec.json.encode(ENTRY))
    assert b"\n" not in sealed
    assert from_json(sealed, ZooEntry) == ENTRY


def test_only_an_object_can_be_sealed() -> None:
    with pytest.raises(ValueError, match="expected a JSON object"):
        seal.seal_json(b"[1]")


def flipped(document: bytes, bit: int) -> bytes:
    damaged = bytearray(document)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@pytest.mark.parametrize("compact", [False, True])
def test_every_flipped_bit_and_cut_of_a_record_is_refused_or_harmless(compact: bool) -> None:
    sealed = seal.seal_json(msgspec.json.encode(ENTRY)) if compact else to_sealed_json(ENTRY)
    refused = 0
    for bit in range(8 * len(sealed)):
        try:
            assert from_json(flipped(sealed, bit), ZooEntry) == ENTRY
        except CorruptRecord:
            refused += 1
    # Only changes of the member's name and of the white space around it are harmless.
    assert refused > 8 * (len(sealed) - 12)
    for length in range(len(sealed)):
        with pytest.raises(CorruptRecord):
            from_json(sealed[:length], ZooEntry)


def test_every_flipped_bit_of_tensors_is_refused_or_harmless() -> None:
    refused = 0
    for bit in range(8 * len(SEALED)):
        damaged = flipped(SEALED, bit)
        try:
            seal.check_tensors(damaged, "k")
            loaded = load(damaged)
        except (CorruptRecord, SafetensorError):
            refused += 1
            continue
        assert {name: value.tolist() for name, value in loaded.items()} == {
            name: value.tolist() for name, value in TENSORS.items()
        }
    assert refused > 8 * (len(SEALED) - 12)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_taken_as_not_sealed(document: bytes) -> None:
    for check in (seal.check_json, seal.check_tensors):
        try:
            check(document, "k")
        except CorruptRecord as error:
            assert b'"sha256"' in document
            assert "SHA-256" in str(error)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_params", -1),
        ("part_macs", [1, -1]),
        ("resolution", 0),
        ("num_classes", 0),
        ("source_accuracy", 1.1),
        ("source_accuracy", -0.1),
        ("weights_sha256", "../../x"),
    ],
)
def test_a_number_out_of_its_range_is_refused_and_its_field_named(
    field: str, value: object
) -> None:
    document = {**json.loads(to_json(ENTRY)), field: value}
    with pytest.raises(CorruptRecord, match=rf"'k'.*\$\.{field}"):
        from_json(json.dumps(document), ZooEntry, "k")
