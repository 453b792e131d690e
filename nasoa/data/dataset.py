"""A data set: classes, and images in three splits, in memory or on disk."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nasoa.cores import num_cores
from nasoa.data.decode import UnreadableImage
from nasoa.data.grey_range import GreyRange
from nasoa.data.reader import ImageReader
from nasoa.errors import DataError

logger = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor]

# Worker processes pass batches through shared memory, up to this many each: the one being written,
# and those that torch's loader prefetches.
SHARED_MEMORY = "/dev/shm"
BATCHES_AHEAD = 3


class ImageSplit(Protocol):
    """Images and labels of a split: n images of R x R pixels."""

    @property
    def labels(self) -> Tensor:
        """`(n,)` int64 class numbers."""

    @property
    def shards(self) -> Tensor | None:
        """`(n,)` int64 shard numbers of the images; None if the order of reading is unimportant."""

    @property
    def groups(self) -> Tensor | None:
        """`(n,)` int64 numbers of the images' groups; None if there are none, or it is unknown."""

    def __len__(self) -> int:
        """Return the number of images."""

    def images(self, indices: Tensor) -> Tensor:
        """Return `(b, 3, R, R)` uint8 images for `(b,)` indices, in the same order."""

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """Yield batches: `(b, 3, R, R)` uint8 images and `(b,)` labels.

        Args:
            index_batches: `(b,)` indices of each batch; may be endless, and may be read ahead.
        """


@dataclass(frozen=True, kw_only=True)
class ImageDataset:
    """A data set, as `load_dataset` returns it.

    Args:
        name: short name: that of the file or folder, without the suffix of an archive.
        data: DATA as given by the user.
        class_names: names of the classes; class k is `class_names[k]`.
        train: images to train on.
        val: images to select a checkpoint with.
        test: images to test on once, at the end.
        resolution: height and width of the stored images; their aspect ratio is not kept.
        image_resolution: median of the shorter sides of the images in pixels, or of a sample if
            there are many.
        num_skipped: number of files that could not be read as images.
        grey_range: values of black and white in images of more than 8 bits; None if there are none.
        decoding_s: seconds in which the images were decoded into memory; 0 if they were found in
            the cache, or are decoded each time that they are used.
    """

    name: str
    data: str
    class_names: tuple[str, ...]
    train: ImageSplit
    val: ImageSplit
    test: ImageSplit
    resolution: int
    image_resolution: int
    num_skipped: int
    grey_range: GreyRange | None = None
    decoding_s: float = field(default=0.0, compare=False)


class MemorySplit:
    """A split whose images are decoded, in memory or mapped from a file; see `ImageSplit`.

    Args:
        decoded: `(m, 3, R, R)` uint8 images of all splits.
        places: `(n,)` indices into `decoded` of the images of this split.
        labels: `(n,)` int64 class numbers.
        groups: `(n,)` int64 numbers of groups; see `ImageSplit`.
    """

    def __init__(
        self, decoded: Tensor, places: Tensor, labels: Tensor, groups: Tensor | None = None
    ) -> None:
        self.labels = labels
        self.shards: Tensor | None = None
        self.groups = groups
        self._decoded = decoded
        self._places = places

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor) -> Tensor:
        """See `ImageSplit`."""
        # NumPy copies whole images, ten times faster than torch, which copies single bytes.
        rows = self._places[indices].numpy()
        return torch.from_numpy(self._decoded.numpy()[rows])

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """See `ImageSplit`."""
        for indices in index_batches:
            yield self.images(indices), self.labels[indices]


class DiskSplit:
    """A split whose images are decoded each time they are used; see `ImageSplit`.

    An image may have a valid header and still not be decodable, which is detected only when it is
    used. Training does not fail then: the next image of its class replaces it, and a warning is
    logged.

    Args:
        reader: reader of the images of the source.
        places: `(n,)` indices of the images of this split in the source.
        labels: `(n,)` int64 class numbers.
        workers: number of processes that `batches` reads with; 0 to read in this process.
        shards: `(n,)` int64 shard numbers; see `ImageSplit`.
        groups: `(n,)` int64 numbers of groups; see `ImageSplit`.
    """

    def __init__(
        self,
        reader: ImageReader,
        places: Tensor,
        labels: Tensor,
        workers: int,
        shards: Tensor | None = None,
        groups: Tensor | None = None,
    ) -> None:
        self.labels = labels
        self.shards = shards
        self.groups = groups
        self._rows = _Rows(reader, places.numpy(), labels.numpy())
        self._workers = min(workers, num_cores())

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor) -> Tensor:
        """See `ImageSplit`."""
        return torch.stack([self._rows[index][0] for index in indices.tolist()])

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """See `ImageSplit`."""
        remaining = iter(index_batches)
        first = next(remaining, None)
        if first is None:
            return
        batches = itertools.chain([first], remaining)
        loader: Iterable[Batch] = DataLoader(
            self._rows,
            batch_sampler=(indices.tolist() for indices in batches),
            num_workers=self._workers_for(len(first)),
            worker_init_fn=_start_worker,
        )
        yield from loader

    def _workers_for(self, batch_size: int) -> int:
        """Return the number of processes to read with; 0 if shared memory is too small.

        A process that runs out of shared memory is killed.
        """
        if not self._workers:
            return 0
        needed = self._workers * BATCHES_AHEAD * batch_size * self._rows.image_bytes
        try:
            writable = os.access(SHARED_MEMORY, os.W_OK)
            free = shutil.disk_usage(SHARED_MEMORY).free if writable else 0
        except OSError:
            free = 0
        if free >= needed:
            return self._workers
        logger.warning(
            "%s has %d of the %d bytes that processes need to read images, so images are read one "
            "after another; make it larger (for containers, with --shm-size)",
            SHARED_MEMORY,
            free,
            needed,
        )
        self._workers = 0
        return 0


class _Rows(Dataset[tuple[Tensor, int]]):
    """Maps a row of a split to its image and label."""

    def __init__(
        self,
        reader: ImageReader,
        places: NDArray[np.int64],
        labels: NDArray[np.int64],
    ) -> None:
        self._reader = reader
        self._places = places
        self._labels = labels
        self._bad: set[int] = set()
        self.image_bytes = 3 * reader.resolution**2

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        label = self._labels[row]
        for candidate in (row, *self._others(row)):
            if candidate in self._bad:
                continue
            try:
                image = self._reader.read(int(self._places[candidate]))
            except UnreadableImage as error:
                self._bad.add(candidate)
                logger.warning("%s; another image of its class replaces it", error)
            else:
                return torch.tensor(image), int(label)
        raise DataError(f"no image of class number {label} can be decoded: check the files")

    def _others(self, row: int) -> Iterator[int]:
        same = np.flatnonzero(self._labels == self._labels[row])
        after = int(np.searchsorted(same, row)) + 1
        yield from (int(other) for other in np.roll(same, -after)[:-1])


def _start_worker(_number: int) -> None:
    # The same filter as in image_warnings; image sizes are checked elsewhere.
    warnings.filterwarnings("ignore", module="PIL")
