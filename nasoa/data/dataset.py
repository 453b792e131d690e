"""A data set: classes, and images in three splits, from memory or from disk."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
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
from nasoa.data.shrinking import shrink
from nasoa.errors import DataError

logger = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor]

# Where batches of other processes are handed over, and how many of each wait there: one that is
# being made, and those that torch's loader makes beforehand.
SHARED_MEMORY = "/dev/shm"
BATCHES_AHEAD = 3


class ImageSplit(Protocol):
    """Images and labels of one split; n images of R x R pixels."""

    @property
    def labels(self) -> Tensor:
        """`(n,)` int64 class numbers."""

    @property
    def shards(self) -> Tensor | None:
        """`(n,)` int64: which shard each image is read from; None where order does not matter."""

    def __len__(self) -> int:
        """How many images."""

    def images(self, indices: Tensor) -> Tensor:
        """`(b, 3, R, R)` uint8 images of `(b,)` indices, in their order."""

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """`(b, 3, R, R)` uint8 images and `(b,)` labels of each `(b,)` indices, in their order.

        `index_batches` may be without end; it may be read somewhat ahead.
        """


@dataclass(frozen=True, kw_only=True)
class ImageDataset:
    """What `load_dataset` gives.

    Args:
        name: short name: of the file or folder, without what says that it is an archive.
        data: DATA as it was given.
        class_names: class k of the labels is `class_names[k]`.
        train: images to learn from.
        val: images to choose a checkpoint by.
        test: images to look at once, at the end.
        resolution: height and width that images are stored at; the aspect is not kept.
        native_resolution: median of the images' shorter sides in pixels, of a sample where there
            are many.
        num_skipped: files that could not be read as images.
        grey_range: what is black and white in its images of more than 8 bits; None without such.
        decoding_s: seconds in which its images were decoded into memory; 0 where they were found
            in the cache, or are decoded whenever they are used.
    """

    name: str
    data: str
    class_names: tuple[str, ...]
    train: ImageSplit
    val: ImageSplit
    test: ImageSplit
    resolution: int
    native_resolution: int
    num_skipped: int
    grey_range: GreyRange | None = None
    decoding_s: float = field(default=0.0, compare=False)
    _smaller: dict[int, ImageDataset] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def at(self, resolution: int) -> ImageDataset:
        """Return this data set with its images resized to a smaller resolution, antialiased.

        They are resized once: later calls return the same object. Where the images are not in
        memory, or not larger than `resolution`, that is this data set itself; batches of it are
        resized by `nasoa.data.augment`.

        Args:
            resolution: height and width in pixels.
        """
        train, val, test = self.train, self.val, self.test
        if not (
            resolution < self.resolution
            and isinstance(train, MemorySplit)
            and isinstance(val, MemorySplit)
            and isinstance(test, MemorySplit)
        ):
            return self
        if resolution not in self._smaller:
            self._smaller[resolution] = replace(
                self,
                resolution=resolution,
                train=train.at(resolution),
                val=val.at(resolution),
                test=test.at(resolution),
            )
        return self._smaller[resolution]


class MemorySplit:
    """See `ImageSplit`.

    Args:
        decoded: `(m, 3, R, R)` uint8 images, of other splits too; in memory, or mapped from a
            file.
        places: `(n,)` rows of `decoded` that are this split.
        labels: `(n,)` int64.
    """

    def __init__(self, decoded: Tensor, places: Tensor, labels: Tensor) -> None:
        self.labels = labels
        self.shards: Tensor | None = None
        self._decoded = decoded
        self._places = places

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor) -> Tensor:
        """See `ImageSplit`."""
        # NumPy copies image by image, a tenth of the time in which torch copies byte by byte.
        rows = self._places[indices].numpy()
        return torch.from_numpy(self._decoded.numpy()[rows])

    def at(self, resolution: int) -> MemorySplit:
        """The split with its images resized to a smaller resolution."""
        smaller = shrink(self._decoded, self._places, resolution)
        return MemorySplit(smaller, torch.arange(len(smaller)), self.labels)

    def batches(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """See `ImageSplit`."""
        for indices in index_batches:
            yield self.images(indices), self.labels[indices]


class DiskSplit:
    """See `ImageSplit`. Images are decoded whenever they are asked for.

    An image whose header is right and that still cannot be decoded is found out only then. So as
    not to end a training for it, the next image of its class stands in, and a warning is logged.

    Args:
        reader: reads images by their place in the source.
        places: `(n,)` the places that are this split.
        labels: `(n,)` int64.
        workers: processes that `batches` reads with; 0 reads in this one.
        shards: `(n,)` int64, see `ImageSplit`.
    """

    def __init__(
        self,
        reader: ImageReader,
        places: Tensor,
        labels: Tensor,
        workers: int,
        shards: Tensor | None = None,
    ) -> None:
        self.labels = labels
        self.shards = shards
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
        """Processes that read; none where the memory that they hand batches over in is too small.

        A process that finds no room in it is killed.
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
            "%s has %d of the %d bytes that processes which read images need: they are read one "
            "after another; give it more (of containers, --shm-size)",
            SHARED_MEMORY,
            free,
            needed,
        )
        self._workers = 0
        return 0


class _Rows(Dataset[tuple[Tensor, int]]):
    """Row -> image and label."""

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
                logger.warning("%s; another image of its class stands in", error)
            else:
                return torch.tensor(image), int(label)
        raise DataError(f"no image of class number {label} can be decoded: check the files")

    def _others(self, row: int) -> Iterator[int]:
        same = np.flatnonzero(self._labels == self._labels[row])
        after = int(np.searchsorted(same, row)) + 1
        yield from (int(other) for other in np.roll(same, -after)[:-1])


def _start_worker(_number: int) -> None:
    # As image_warnings does for the threads of one process; sizes are checked before.
    warnings.filterwarnings("ignore", module="PIL")
