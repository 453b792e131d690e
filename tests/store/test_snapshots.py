"""Find, read and name versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput, ObjectNotFound
from nasoa.store import ArtifactStore, keys, open_store, snapshots, version_info
from nasoa.store.snapshots import Snapshot, spans
from nasoa.store.version_info import LearningRecord, SnapshotInfo
from tests.store.finished import NAME


def snapshot(version: int) -> Snapshot:
    info = SnapshotInfo(
        name=NAME, version=version, parent=version - 1, new=(), created_at="", code_version="0"
    )
    return Snapshot({"x": np.arange(3)}, info)


@pytest.fixture
def five(uri: str) -> ArtifactStore:
    store = open_store(uri)
    for version in range(1, 6):
        assert snapshots.save(store, snapshot(version))
    return store


def test_a_number_is_taken_once(five: ArtifactStore) -> None:
    assert not snapshots.save(five, snapshot(5))
    assert snapshots.versions(five, NAME) == [1, 2, 3, 4, 5]
    assert snapshots.versions(five, NAME, after=3) == [4, 5]
    assert snapshots.versions(five, "other") == []
    assert snapshots.other_names(five, "other") == [NAME]
    assert snapshots.other_names(five, NAME) == []


@pytest.mark.parametrize("hint", [b"5", b"4", b"1", b"0", b"-3", b"9", b"999999999", b"", b"\xff"])
def test_no_hint_hides_the_newest_version(five: ArtifactStore, hint: bytes) -> None:
    five.put(keys.newest_hint(NAME), hint)
    assert snapshots.newest_versions(five, NAME)[-1] == 5
    five.delete(keys.newest_hint(NAME))
    assert snapshots.newest_versions(five, NAME) == [1, 2, 3, 4, 5]


def test_the_hint_makes_the_list_short(five: ArtifactStore) -> None:
    assert snapshots.newest_versions(five, NAME) == [5]


def test_numbers_of_seven_digits_are_found(tmp_path: Path) -> None:
    """Their keys sort before those of six."""
    store = open_store(str(tmp_path))
    for version in (999_998, 999_999, 1_000_000, 1_000_001):
        snapshots.save(store, snapshot(version))
        assert snapshots.newest_versions(store, NAME)[-1] == version


names = st.text("abc-0", min_size=1, max_size=5)
unit = st.floats(0, 1)


@given(
    learned=st.sets(names),
    left_out=st.lists(names),
    record=st.builds(
        LearningRecord,
        errors=st.lists(unit).map(tuple),
        sum_abs_error=unit,
        weights=st.dictionaries(names, unit),
    ),
)
def test_information_survives(
    learned: set[str], left_out: list[str], record: LearningRecord
) -> None:
    info = SnapshotInfo(
        name=NAME,
        version=2,
        parent=1,
        learned=tuple(sorted(learned)),
        new=("b",),
        created_at="now",
        code_version="0",
        left_out=tuple(left_out),
        record=record,
    )
    assert version_info.from_metadata(version_info.to_metadata(info)) == info
    document = version_info.to_document(info)
    assert document["num_learned"] == len(learned)
    assert "learned" not in document


def test_a_version_that_is_asked_for_has_to_be_there(five: ArtifactStore, tmp_path: Path) -> None:
    assert snapshots.load_named(five, NAME, 5).info.version == 5
    with pytest.raises(InvalidInput, match="got 7: the versions are 1 to 5"):
        snapshots.load_named(five, NAME, 7)
    with pytest.raises(InvalidInput, match="no version yet"):
        snapshots.load_named(open_store(str(tmp_path / "empty")), NAME, 1)
    with pytest.raises(ObjectNotFound):
        snapshots.load(five, NAME, 7)


@given(st.sets(st.integers(0, 30), min_size=1))
def test_spans_name_all_numbers(numbers: set[int]) -> None:
    named: set[int] = set()
    for span in spans(sorted(numbers)).split(", "):
        ends = [int(end) for end in span.split(" to ")]
        named |= set(range(ends[0], ends[-1] + 1))
    assert named == numbers
