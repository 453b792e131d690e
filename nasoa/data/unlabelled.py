"""Training images of several data sets as one split, of which only the first set has labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from nasoa.data.dataset import Batch, ImageDataset, ImageSplit

UNLABELLED = -1


class JoinedSplit:
    """The images of several splits, one after another, at one resolution; see `ImageSplit`.

    Args:
        splits: the splits; images without a label have the label -1.
        labelled: number of splits, from the first on, whose labels are kept.
        resolution: height and width of the images in pixels.
    """

    def __init__(self, splits: Sequence[ImageSplit], labelled: int, resolution: int) -> None:
        self._splits = splits
        self._resolution = resolution
        self._starts = torch.tensor([0, *(len(split) for split in splits)]).cumsum(0)
        self.labels = torch.cat(
            [
                split.labels if number < labelled else torch.full_like(split.labels, UNLABELLED)
                for number, split in enumerate(splits)
            ]
        )
        self.shards: Tensor | None = None
        self.groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor) -> Tensor:
        """See `ImageSplit`."""
        side = self._resolution
        found = torch.empty((len(indices), 3, side, side), dtype=torch.uint8)
        owners = torch.bucketize(indices, self._starts, right=True) - 1
        for number in owners.unique().tolist():
            own = (owners == number).nonzero().flatten()
            images = self._splits[number].images(indices[own] - self._starts[number])
            found[own] = _resized(images, side)
        return found

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """See `ImageSplit`."""
        for indices in index_batches:
            yield self.images(indices), self.labels[indices]


def with_unlabelled(data: ImageDataset, others: Sequence[ImageDataset]) -> ImageDataset:
    """Return a data set with the training images of others added to its own, without labels.

    Validation and test images are those of `data`. Images are in no order that matters for reading,
    so large sets of shards are read faster alone.

    Args:
        data: the data set with labels.
        others: further data sets; only their training images are used.
    """
    splits = [data.train, *(other.train for other in others)]
    return replace(data, train=JoinedSplit(splits, 1, data.resolution))


def _resized(images: Tensor, side: int) -> Tensor:
    if images.shape[-1] == side:
        return images
    floats = functional.interpolate(
        images.float(), (side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return floats.round().clamp(0, 255).to(torch.uint8)
