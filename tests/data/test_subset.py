"""Subsets of a data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.data import load_dataset, subset
from nasoa.errors import DataError

WHOLE = load_dataset("sklearn:digits:per_class=20", seed=0, resolution=32)


@settings(max_examples=30, deadline=None)
@given(
    classes=st.lists(st.integers(0, 9), min_size=2, max_size=10, unique=True),
    per_class=st.integers(1, 30),
    seed=st.integers(0, 100),
)
def test_classes_are_numbered_anew_and_images_keep_theirs(
    classes: list[int], per_class: int, seed: int
) -> None:
    part = subset(WHOLE, classes, np.random.default_rng(seed), per_class=per_class)
    assert part.class_names == tuple(WHOLE.class_names[i] for i in classes)
    for name in ("train", "val", "test"):
        small, large = getattr(part, name), getattr(WHOLE, name)
        assert len(small) == len(small.labels)
        kept = small.images(torch.arange(len(small))).flatten(1)
        # Every image belongs to the original class that its new number stands for.
        for new, old in enumerate(classes):
            mine = kept[small.labels == new]
            theirs = large.images((large.labels == old).nonzero().flatten()).flatten(1)
            assert {bytes(row.numpy()) for row in mine} <= {bytes(row.numpy()) for row in theirs}
            if name != "train":
                assert len(mine) == len(theirs)
            else:
                assert len(mine) == min(per_class, len(theirs))


def test_batches_are_images_with_their_labels() -> None:
    part = subset(WHOLE, [7, 2], np.random.default_rng(0))
    indices = torch.tensor([3, 0, len(part.train) - 1])
    ((images, labels),) = part.train.batches([indices])
    assert torch.equal(images, part.train.images(indices))
    assert torch.equal(labels, part.train.labels[indices])


def test_test_images_can_be_bounded() -> None:
    part = subset(WHOLE, range(10), np.random.default_rng(0), max_test=7)
    assert len(part.test) == 7
    assert len(part.train) == len(WHOLE.train)


@pytest.mark.parametrize("classes", [[], [3], [1, 1], [0, 10], [-1, 2]])
def test_classes_that_make_no_task_are_refused(classes: list[int]) -> None:
    with pytest.raises(DataError, match="two different class numbers from 0 to 9"):
        subset(WHOLE, classes, np.random.default_rng(0))


def test_a_part_of_a_part() -> None:
    once = subset(WHOLE, [5, 6, 7], np.random.default_rng(0))
    twice = subset(once, [2, 0], np.random.default_rng(0))
    assert twice.class_names == ("7", "5")
