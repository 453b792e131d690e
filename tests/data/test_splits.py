"""Images are split at random by class and group."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.config import DataConfig
from nasoa.data.source import ImageRecord
from nasoa.data.splits import check_classes, split_indices
from nasoa.errors import DataError

CONFIG = DataConfig(val_fraction=0.15, test_fraction=0.15, max_classes=30)
SPLITS = ("train", "val", "test")


def records_of(counts: dict[str, int], split: str = "") -> list[ImageRecord]:
    return [
        ImageRecord(f"{name}/{number}", name, split)
        for name, count in counts.items()
        for number in range(count)
    ]


def per_class(records: list[ImageRecord], indices: list[int]) -> Counter[str]:
    return Counter(records[index].class_name for index in indices)


class_counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(2, 60), min_size=2).filter(
    lambda counts: max(counts.values()) > 2
)


@given(counts=class_counts, seed=st.integers(0, 2**32))
def test_splits_are_a_stratified_partition(counts: dict[str, int], seed: int) -> None:
    records = records_of(counts)
    check_classes(records, "DATA", CONFIG)
    parts = split_indices(records, seed=seed, config=CONFIG)
    assert sorted(index for part in parts.values() for index in part) == list(range(len(records)))
    assert all(part == sorted(part) for part in parts.values())
    train, val, test = (per_class(records, parts[split]) for split in SPLITS)
    for name, count in counts.items():
        share = CONFIG.test_fraction * count
        assert train[name] >= 1
        assert abs(test[name] - max(1, share)) <= 0.5 + 1e-9
        if count >= 3:
            assert abs(val[name] - max(1, share)) <= 1


@given(counts=class_counts, seed=st.integers(0, 2**32))
def test_the_seed_decides(counts: dict[str, int], seed: int) -> None:
    records = records_of(counts)
    first = split_indices(records, seed=seed, config=CONFIG)
    assert first == split_indices(records, seed=seed, config=CONFIG)


def test_seeds_differ() -> None:
    records = records_of({"a": 50, "b": 50})
    one, other = (split_indices(records, seed=seed, config=CONFIG)["val"] for seed in (0, 1))
    assert one != other


# Sizes of the groups of each class; four groups per class are enough for three splits.
grouped = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(1, 12), min_size=4, max_size=20), min_size=2
)


@given(classes=grouped, shared_groups=st.booleans(), seed=st.integers(0, 2**32))
def test_no_group_straddles(classes: dict[str, list[int]], shared_groups: bool, seed: int) -> None:
    records = [
        # Groups may be shared by all classes, or each belong to a single class.
        ImageRecord(f"{name}/{g}", name, group=str(g) if shared_groups else f"{name}{g}")
        for name, sizes in classes.items()
        for g, size in enumerate(sizes)
        for _image in range(size)
    ]
    parts = split_indices(records, seed=seed, config=CONFIG)
    assert sorted(index for part in parts.values() for index in part) == list(range(len(records)))
    homes: dict[str | None, set[str]] = defaultdict(set)
    for split, indices in parts.items():
        for index in indices:
            homes[records[index].group].add(split)
    assert all(len(home) == 1 for home in homes.values())
    assert set(per_class(records, parts["train"])) == set(classes)
    if not shared_groups:
        assert set(per_class(records, parts["val"])) == set(classes)
        assert set(per_class(records, parts["test"])) == set(classes)


def test_shares_hold_with_groups() -> None:
    records = [
        ImageRecord(f"{name}/{number}", name, group=f"{name}{number // 5}")
        for name in "ab"
        for number in range(200)
    ]
    parts = split_indices(records, seed=0, config=CONFIG)
    for split in ("val", "test"):
        assert per_class(records, parts[split]) == {"a": 30, "b": 30}


def test_a_class_of_one_group_is_split_by_image_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = [ImageRecord(f"g/{n}", "giraffe", group="iraffe") for n in range(20)]
    records += records_of({"dog": 20})
    with caplog.at_level(logging.WARNING):
        parts = split_indices(records, seed=0, config=CONFIG)
    assert per_class(records, parts["val"]) == {"giraffe": 3, "dog": 3}
    assert "too few groups: classes giraffe" in caplog.text


def test_no_warning_where_nothing_was_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        split_indices(records_of({"a": 2, "b": 9}), seed=0, config=CONFIG)
    assert not caplog.records


def test_a_class_of_a_single_image_is_only_trained_on(caplog: pytest.LogCaptureFixture) -> None:
    records = records_of({"a": 9, "b": 9, "c": 1})
    check_classes(records, "DATA", CONFIG)
    parts = split_indices(records, seed=0, config=CONFIG)
    assert "1 classes have one image only, which is used for training" in caplog.text
    assert [per_class(records, parts[split])["c"] for split in SPLITS] == [1, 0, 0]


def test_given_splits_are_kept_and_what_is_missing_comes_out_of_train() -> None:
    train = records_of({"a": 20, "b": 40}, "train")
    test = records_of({"a": 5}, "test")
    val = records_of({"b": 3}, "val")
    parts = split_indices(train + test, seed=0, config=CONFIG)
    assert parts["test"] == list(range(60, 65))
    assert per_class(train, parts["val"]) == {"a": 3, "b": 6}
    parts = split_indices(train + val, seed=0, config=CONFIG)
    assert parts["val"] == list(range(60, 63))
    assert per_class(train, parts["test"]) == {"a": 3, "b": 6}
    parts = split_indices(train + test + val, seed=0, config=CONFIG)
    assert [len(parts[split]) for split in SPLITS] == [60, 3, 5]


def test_nothing_is_held_out_for_a_test_that_nobody_makes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = DataConfig(test_fraction=0.0, val_fraction=0.5)
    parts = split_indices(records_of({"a": 2, "b": 4}), seed=0, config=config)
    assert [len(parts[split]) for split in SPLITS] == [3, 3, 0]
    check_classes(records_of({"a": 2, "b": 2}), "DATA", config)
    # Two groups are enough for two splits.
    grouped = [ImageRecord(f"{c}/{i}", c, group=f"{c}{i // 3}") for c in "ab" for i in range(6)]
    parts = split_indices(grouped, seed=0, config=config)
    assert [len(parts[split]) for split in SPLITS] == [6, 6, 0]
    groups = [{grouped[index].group for index in parts[split]} for split in ("train", "val")]
    assert not groups[0] & groups[1]
    assert not caplog.records


def test_own_validation_images_can_be_left_out() -> None:
    config = DataConfig(test_fraction=0.0, val_fraction=0.25, own_val=False)
    train = records_of({"a": 12, "b": 12}, "train")
    val, test = records_of({"a": 5, "b": 5}, "val"), records_of({"a": 3}, "test")
    records = train + val + test
    check_classes(records, "DATA", config)
    parts = split_indices(records, seed=0, config=config)
    assert [len(parts[split]) for split in SPLITS] == [18, 6, 3]
    assert set(parts["train"]) | set(parts["val"]) == set(range(24))
    assert per_class(records, parts["val"]) == {"a": 3, "b": 3}
    without = split_indices(train + test, seed=0, config=config)
    assert (without["train"], without["val"]) == (parts["train"], parts["val"])
    with pytest.raises(DataError, match="class 'a' of DATA has one image only"):
        check_classes(records_of({"a": 1, "b": 1}, "train") + val, "DATA", config)


def test_the_share_of_validation_is_of_all_images() -> None:
    config = DataConfig(test_fraction=0.5, val_fraction=0.25)
    parts = split_indices(records_of({"a": 40, "b": 80}), seed=0, config=config)
    assert [len(parts[split]) for split in SPLITS] == [30, 30, 60]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no images in DATA"),
        (records_of({"a": 2, "b": 2}), "has 2 images: expected at least 3"),
        (
            records_of({"a": 1, "b": 1}, "train") + records_of({"a": 2, "b": 2}, "test"),
            "class 'a' of DATA has one image only",
        ),
        (records_of({f"c{n}": 3 for n in range(31)}), "31 classes: expected at most 30"),
        (records_of({"a": 9}), "one class only, 'a'"),
        (records_of({"a": 9, "b": 1}), "class 'b' of DATA has one image only"),
        (
            records_of({"a": 9, "b": 1}, "train") + records_of({"a": 2, "b": 2}, "test"),
            "class 'b' of DATA has one image only",
        ),
        (
            records_of({"a": 9, "b": 9}, "train") + records_of({"c": 1}, "test"),
            "class 'c' of DATA is in test/ but not in train/",
        ),
    ],
)
def test_classes_that_cannot_be_learned(records: list[ImageRecord], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_classes(records, "DATA", CONFIG)
