"""A subset of a data set: some of its classes, with a limited number of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nasoa.data.dataset import Batch, ImageDataset, ImageSplit
from nasoa.errors import DataError

SPLITS = ("train", "val", "test")


class SubsetSplit:
    """Some images of a split, with new class numbers; see `ImageSplit`.

    Args:
        split: the original split.
        rows: `(n,)` indices of the images in `split`; also an attribute.
        numbers: `(num_classes,)` new number of each original class; -1 for those left out.
    """

    def __init__(self, split: ImageSplit, rows: Tensor, numbers: Tensor) -> None:
        self.labels = numbers[split.labels[rows]]
        self.shards = None if split.shards is None else split.shards[rows]
        self.groups = None if split.groups is None else split.groups[rows]
        self._split = split
        self.rows = rows
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, indices: Tensor) -> Tensor:
        """See `ImageSplit`."""
        return self._split.images(self.rows[indices])

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """See `ImageSplit`."""
        rows = (self.rows[indices] for indices in index_batches)
        for images, labels in self._split.batches(rows):
            yield images, self._numbers[labels]


def subset(
    data: ImageDataset,
    classes: Sequence[int],
    rng: np.random.Generator,
    *,
    per_class: int | None = None,
    val_per_class: int | None = None,
    max_test: int | None = None,
) -> ImageDataset:
    """Return a subset of a data set.

    Args:
        data: the data set.
        classes: numbers of the classes to keep; they are renumbered in this order.
        rng: random generator that samples images.
        per_class: most training images of a class; None for all.
        val_per_class: most validation images of a class; None for all.
        max_test: most test images in total; None for all.

    Raises:
        DataError: there are fewer than two classes, or a class is repeated or does not exist.
    """
    known = range(len(data.class_names))
    if len(classes) < 2 or len(set(classes)) < len(classes) or not set(classes) <= set(known):
        raise DataError(
            f"expected at least two different class numbers from 0 to {len(known) - 1} of "
            f"{data.name}, got {list(classes)[:10]}"
        )
    numbers = torch.full((len(known),), -1)
    numbers[list(classes)] = torch.arange(len(classes))
    parts: dict[str, Any] = {}
    for name in SPLITS:
        split: ImageSplit = getattr(data, name)
        rows = (numbers[split.labels] >= 0).nonzero().flatten()
        most = {"train": per_class, "val": val_per_class}.get(name)
        if most is not None:
            rows = _at_most(rows, split.labels[rows], most, rng)
        if name == "test" and max_test is not None:
            rows = rows[torch.from_numpy(rng.permutation(len(rows)))[:max_test]].sort().values
        parts[name] = SubsetSplit(split, rows, numbers)
    return replace(data, class_names=tuple(data.class_names[i] for i in classes), **parts)


def _at_most(rows: Tensor, labels: Tensor, per_class: int, rng: np.random.Generator) -> Tensor:
    """Return a random sample of at most `per_class` rows of each label, in ascending order."""
    order = torch.from_numpy(rng.permutation(len(rows)))
    kept = []
    for label in labels.unique():
        of_class = order[labels[order] == label]
        kept.append(rows[of_class[:per_class]])
    return torch.cat(kept).sort().values
