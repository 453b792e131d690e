"""From DATA to a data set: find, check, split, decode."""

from __future__ import annotations

import logging
import statistics

import numpy as np
import torch
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data.dataset import DiskSplit, ImageDataset, ImageSplit, MemorySplit
from nasoa.data.decode import image_warnings
from nasoa.data.decoding import decode_images
from nasoa.data.forms import open_source
from nasoa.data.grey_range import GreyRange, sampled_range
from nasoa.data.reader import ImageReader, Unreadable
from nasoa.data.reading_limit import results_in_time, threads_to_leave
from nasoa.data.shards import ShardSource
from nasoa.data.source import ImageSource, ObjectSource
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
    """The images and labels of DATA in three splits.

    Images are decoded once, into memory or a file in the cache, and found in the cache the next
    time; where neither is large enough, they are decoded whenever they are used, in the same order
    and with the same values. See `nasoa.data.decoding`.

    Args:
        data: a folder of class folders, a .zip or .tar of one, an .npz, `sklearn:digits`,
            `torchvision:NAME`, `s3://bucket/prefix`, or `shards:` and a folder, a pattern with
            braces, or a prefix.
        seed: a non-negative integer that decides which images validate and test, where DATA does
            not.
        resolution: height and width in pixels that images are stored at; None: the median of the
            images' shorter sides, rounded up to a multiple of 32 and at most
            `config.max_resolution`.
        config: limits and shares.
        source_store: for s3: the bucket that `bucket_uri(data)` names.

    Raises:
        DataError: DATA is not usable; says what was expected, what came, what to do.
        TimeLimitError: it cannot be read in the time of `config.check_time`.
        UnknownName: a data set that scikit-learn or torchvision does not have.
    """
    config = config or DataConfig()
    source = open_source(data, config, source_store)
    config.check_time()
    check_classes(source.records, data, config)
    native: int | None = None
    if resolution is None:
        native = _native_resolution(source, data, config)
        resolution = _stored_resolution(native, config)
    with image_warnings():
        grey_range = _sampled_range(source, data, config)
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
        reader, data, config, lambda: native or _native_resolution(source, data, config)
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
        native_resolution=decoded.native_resolution,
        num_skipped=len(unreadable),
        grey_range=grey_range,
        decoding_s=decoded.decoding_s,
        **splits,
    )


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
    """The readable images, split."""
    good = [index for index in range(len(source.records)) if index not in unreadable]
    records = [source.records[index] for index in good]
    check_classes(records, data, config)
    numbers = {name: number for number, name in enumerate(source.class_names)}
    splits: dict[str, ImageSplit] = {}
    for split, chosen in split_indices(records, seed=seed, config=config).items():
        places = torch.tensor([good[i] for i in chosen], dtype=torch.int64)
        labels = torch.tensor([numbers[records[i].class_name] for i in chosen], dtype=torch.int64)
        splits[split] = (
            DiskSplit(reader, places, labels, config.workers, _shards(source, places))
            if decoded is None
            else MemorySplit(decoded, places, labels)
        )
    return splits


def _shards(source: ImageSource, places: Tensor) -> Tensor | None:
    """`(n,)` the shards that images are in; None where they are in none."""
    if not isinstance(source, ShardSource):
        return None
    return torch.tensor([source.shard(place) for place in places.tolist()], dtype=torch.int64)


def _sampled_range(source: ImageSource, data: str, config: DataConfig) -> GreyRange | None:
    """See `sampled_range`; in a thread, as a single image may take seconds."""
    with threads_to_leave(1) as pool:
        sampling = [pool.submit(sampled_range, source, data, config.check_time)]
        return next(results_in_time(sampling, config.check_time))


def _native_resolution(source: ImageSource, data: str, config: DataConfig) -> int:
    """The median shorter side, of images spread evenly over the data set."""
    count = len(source.records)
    sample = np.unique(np.linspace(0, count - 1, min(count, _HEADER_SAMPLE)).astype(int)).tolist()
    # The resolution plays no part in reading headers.
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
    """Decode some of the images whose headers are right, as nothing else is known of them.

    Raises:
        DataError: a larger share of them than `config` allows cannot be decoded.
    """
    good = [index for index in range(reader.shape[0]) if index not in unreadable]
    places = np.linspace(0, len(good) - 1, min(len(good), _DECODED_SAMPLE)).astype(int)
    sample = [good[place] for place in np.unique(places).tolist()]
    _refuse_too_many(reader.undecodable(sample), len(sample), data, config)


def _stored_resolution(native: int, config: DataConfig) -> int:
    rounded = -(-native // RESOLUTION_STEP) * RESOLUTION_STEP
    return max(RESOLUTION_STEP, min(rounded, config.max_resolution))


def check_unreadable(unreadable: Unreadable, count: int, data: str, config: DataConfig) -> None:
    """Refuse where so much cannot be read that it is no accident; warn of the rest.

    Raises:
        DataError: more than the share that `config` allows, or everything.
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
            f"(expected at most {config.max_bad_share:.0%}); mend or remove them; first: {first}"
        )
