"""Load a data set from DATA: find, check, decode and split its images."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data.array_source import ArraySource
from nasoa.data.dataset import DiskSplit, ImageDataset, ImageSplit, MemorySplit
from nasoa.data.decode import image_warnings
from nasoa.data.decoding import decode_images
from nasoa.data.grey_range import GreyRange, sampled_range
from nasoa.data.open_data import open_source
from nasoa.data.reader import ImageReader, Unreadable
from nasoa.data.reading_limit import in_time
from nasoa.data.shards import ShardSource
from nasoa.data.source import ImageRecord, ImageSource, ObjectSource
from nasoa.data.splits import check_classes, split_indices
from nasoa.errors import DataError

# Networks halve the resolution five times.
RESOLUTION_STEP = 32
_HEADER_SAMPLE = 256
_DECODED_SAMPLE = 128

logger = logging.getLogger(__name__)


def load_dataset(
    data: str,
    *,
    seed: int,
    resolution: int | None = None,
    config: DataConfig | None = None,
    source_store: ObjectSource | None = None,
) -> ImageDataset:
    """Load the images and labels of DATA in three splits.

    Images are decoded once, into memory or into a file in the cache, and read from the cache the
    next time. If neither is large enough, they are decoded each time that they are used, in the
    same order and with the same values; see `nasoa.data.decoding`.

    Args:
        data: a folder of class folders, a .zip or .tar of one, a .csv of paths and labels, an .npz,
            `sklearn:digits`, `torchvision:NAME`, `s3://bucket/prefix`, or `shards:` followed by a
            folder, a pattern with braces, or a prefix.
        seed: non-negative random seed for the splits that DATA does not have.
        resolution: height and width of the stored images in pixels; by default the median of the
            shorter sides of the images, rounded up to a multiple of 32 and at most
            `config.max_resolution`.
        config: limits and fractions of the splits.
        source_store: the bucket that `bucket_uri(data)` names, if DATA is in an object store.

    Raises:
        DataError: DATA is not usable.
        TimeLimitError: the time limit cannot be met (`config.check_time`).
        UnknownName: scikit-learn or torchvision has no such data set.
    """
    config = config or DataConfig()
    source = open_source(data, config, source_store)
    config.check_time()
    check_classes(source.records, data, config)
    found: int | None = None
    if resolution is None:
        found = _image_resolution(source, data, config)
        resolution = _stored_resolution(found, config)
    grey_range = _grey_range(source, data, config)
    reader = ImageReader(
        source,
        resolution,
        config.max_pixels,
        config.workers,
        grey_range=grey_range,
        max_total_pixels=config.max_total_pixels,
        check_time=config.check_time,
    )
    decoded = decode_images(
        reader, data, config, lambda: found or _image_resolution(source, data, config)
    )
    unreadable = decoded.unreadable
    check_unreadable(unreadable, len(source.records), data, config)
    if decoded.images is None:
        _check_sample(reader, unreadable, data, config)
    splits = _splits(source, data, decoded.images, unreadable, reader, seed=seed, config=config)
    return ImageDataset(
        name=source.name,
        data=data,
        class_names=tuple(source.class_names),
        resolution=resolution,
        image_resolution=decoded.image_resolution,
        num_skipped=len(unreadable),
        grey_range=grey_range,
        decoding_s=decoded.decoding_s,
        **splits,
    )


def _grey_range(source: ImageSource, data: str, config: DataConfig) -> GreyRange | None:
    if isinstance(source, ArraySource):
        return source.grey_range
    with image_warnings():
        # A single image may take seconds to decode.
        find_range = partial(sampled_range, source, data, config.max_pixels, config.check_time)
        return in_time(find_range, config.check_time)


def _splits(
    source: ImageSource,
    data: str,
    decoded: Tensor | None,
    unreadable: Unreadable,
    reader: ImageReader,
    *,
    seed: int,
    config: DataConfig,
) -> dict[str, ImageSplit]:
    """Split the readable images."""
    good = [index for index in range(len(source.records)) if index not in unreadable]
    records = [source.records[index] for index in good]
    check_classes(records, data, config)
    numbers = {name: number for number, name in enumerate(source.class_names)}
    splits: dict[str, ImageSplit] = {}
    split_all = partial(split_indices, records, seed=seed, config=config)
    for split, chosen in in_time(split_all, config.check_time).items():
        places = torch.tensor([good[i] for i in chosen], dtype=torch.int64)
        labels = torch.tensor([numbers[records[i].class_name] for i in chosen], dtype=torch.int64)
        groups = _groups([records[i] for i in chosen])
        splits[split] = (
            DiskSplit(reader, places, labels, config.workers, _shards(source, places), groups)
            if decoded is None
            else MemorySplit(decoded, places, labels, groups)
        )
    return splits


def _groups(records: Sequence[ImageRecord]) -> Tensor | None:
    """Return the `(n,)` numbers of images' groups, or None; without a group, an image has its own.

    Groups are numbered as they appear.
    """
    if all(record.group is None for record in records):
        return None
    keys = (record.path if record.group is None else (record.group,) for record in records)
    numbers: dict[str | tuple[str], int] = {}
    found = [numbers.setdefault(key, len(numbers)) for key in keys]
    return torch.tensor(found, dtype=torch.int64)


def _shards(source: ImageSource, places: Tensor) -> Tensor | None:
    """Return the `(n,)` shard numbers of images, or None if the source has no shards."""
    if not isinstance(source, ShardSource):
        return None
    return torch.tensor([source.shard(place) for place in places.tolist()], dtype=torch.int64)


def _image_resolution(source: ImageSource, data: str, config: DataConfig) -> int:
    """Return the median of the shorter sides of a sample that is evenly spaced over the images."""
    count = len(source.records)
    sample = np.unique(np.linspace(0, count - 1, min(count, _HEADER_SAMPLE)).astype(int)).tolist()
    # The resolution is irrelevant to reading headers.
    reader = ImageReader(
        source,
        RESOLUTION_STEP,
        config.max_pixels,
        config.workers,
        check_time=config.check_time,
    )
    sizes, unreadable = reader.sizes(sample)
    if not sizes:
        raise DataError(f"no images in {data}: {next(iter(unreadable.values()))}")
    return int(statistics.median(min(size) for size in sizes))


def _check_sample(
    reader: ImageReader, unreadable: Unreadable, data: str, config: DataConfig
) -> None:
    """Decode a sample of the images, of which only the headers have been checked so far.

    Raises:
        DataError: the fraction that cannot be decoded is above `config.max_bad_share`.
    """
    good = [index for index in range(reader.shape[0]) if index not in unreadable]
    places = np.linspace(0, len(good) - 1, min(len(good), _DECODED_SAMPLE)).astype(int)
    sample = [good[place] for place in np.unique(places).tolist()]
    _refuse_too_many(reader.undecodable(sample), len(sample), data, config)


def _stored_resolution(image_resolution: int, config: DataConfig) -> int:
    rounded = -(-image_resolution // RESOLUTION_STEP) * RESOLUTION_STEP
    return max(RESOLUTION_STEP, min(rounded, config.max_resolution))


def check_unreadable(unreadable: Unreadable, count: int, data: str, config: DataConfig) -> None:
    """Log a warning about unreadable files.

    Raises:
        DataError: the fraction of unreadable files is above `config.max_bad_share`, or no file can
            be read.
    """
    if not unreadable:
        return
    _refuse_too_many(unreadable, count, data, config)
    first = unreadable[min(unreadable)]
    logger.warning("%s: %d of %d files skipped, the first: %s", data, len(unreadable), count, first)


def _refuse_too_many(unreadable: Unreadable, count: int, data: str, config: DataConfig) -> None:
    if not unreadable:
        return
    first = unreadable[min(unreadable)]
    if len(unreadable) == count:
        raise DataError(f"no images in {data}: {first}")
    if len(unreadable) > config.max_bad_share * count:
        raise DataError(
            f"{len(unreadable)} of {count} files in {data} cannot be read as images "
            f"(expected at most {config.max_bad_share:.0%}); fix or remove them; first: {first}"
        )
