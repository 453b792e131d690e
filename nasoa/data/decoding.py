"""Decode the images of a data set into memory or a cache, or each time that they are used."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import PIL
import torch
from PIL import features
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data.pixel_cache import PixelCache, open_cache
from nasoa.data.pixel_file import PixelMetadata, Pixels
from nasoa.data.reader import ImageReader, Unreadable
from nasoa.data.shards import ShardSource
from nasoa.free_memory import budget_bytes

# Increase this whenever a change makes the same file decode to different pixels.
DECODER_VERSION = 3
MEMORY_FRACTION = 1 / 3  # of the memory that is left
# Images that take less time to decode are not cached.
MIN_CACHED_S = 0.5
# Storing may take at most this fraction of the time that decoding took.
STORING_SHARE = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DecodedImages:
    """The images of a data set, and what was learned while reading them.

    Args:
        images: `(n, 3, R, R)` uint8 images, in memory or mapped from a file; None if they are
            decoded each time that they are used.
        image_resolution: see `ImageDataset`.
        unreadable: index of each unreadable image, and the reason.
        decoding_s: see `ImageDataset`.
    """

    images: Tensor | None
    image_resolution: int
    unreadable: Unreadable
    decoding_s: float = 0.0


def decode_images(
    reader: ImageReader, data: str, config: DataConfig, measure_resolution: Callable[[], int]
) -> DecodedImages:
    """Load the decoded images of a data set from the cache, or decode them.

    Images that fit into `config.memory_budget_bytes`, and a third of the memory that is left, are
    decoded into memory. Larger data sets are decoded into a file in the cache if it has enough
    space, and otherwise each time that they are used, as are those that processes share (see
    `_is_shared`). The log says in advance which of these happens.

    Args:
        reader: reader of all images, at the resolution at which they are stored.
        data: DATA, for messages.
        config: limits.
        measure_resolution: function that computes `image_resolution`; called if the cache does
            not have it.

    Raises:
        DataError: the images have too many pixels in total.
        InvalidInput: NASOA_CACHE_BYTES is malformed.
    """
    size = f"{data}: {reader.shape[0]} images of {reader.resolution} px, {_megabytes(reader)} MB"
    fits = num_bytes(reader) <= budget_bytes(config.memory_budget_bytes, MEMORY_FRACTION)
    cache = open_cache(config.workers) if fits or not _is_shared(reader) else None
    key = content_key(reader) if cache else None
    if cache and key and (stored := cache.get(key, reader.shape)):
        logger.info("%s: mapped from the cache %s", size, cache.folder)
        return _decoded(*stored)
    image_resolution = measure_resolution()
    if fits:
        logger.info("%s: decoded into memory", size)
        began_s = time.monotonic()
        found = _decoded(*_into_memory(reader, image_resolution, cache, key))
        return replace(found, decoding_s=time.monotonic() - began_s)
    if cache and key:
        try:
            return _decoded(*_into_cache(reader, image_resolution, cache, key, size))
        except OSError as error:
            logger.debug("no file in the cache for %s: %s", data, error)
    # Shards are meant to be read each time. They hold too many images to read all headers in
    # advance; an unreadable image is detected when it is used.
    streamed = isinstance(reader.source, ShardSource)
    logger.log(
        logging.INFO if streamed else logging.WARNING,
        "%s, over the memory budget and the cache: decoded each time that they are used",
        size,
    )
    unreadable = {} if streamed else reader.sizes(range(reader.shape[0]))[1]
    return DecodedImages(None, image_resolution, unreadable)


def num_bytes(reader: ImageReader) -> int:
    """Return the size of all decoded images together, in bytes."""
    return int(np.prod(reader.shape))


def _is_shared(reader: ImageReader) -> bool:
    """Return whether several processes, perhaps on several machines, may train on the images.

    All of them must use the same images. A cached data set leaves out damaged images, while one
    that is decoded on use includes them, and the caches of two machines may differ in free space.
    So a shared data set that does not fit into memory is not cached.
    """
    together = os.environ.get("WORLD_SIZE", "1") not in ("", "1")  # as torchrun sets it
    return together or isinstance(reader.source, ShardSource)


def content_key(reader: ImageReader) -> str | None:
    """Return a hex digest of everything that the decoded images depend on.

    It is None if the source has no stamp, so that changes cannot be detected cheaply.
    """
    stamp = reader.source.stamp()
    if stamp is None:
        return None
    versions = [DECODER_VERSION, PIL.__version__, features.version("libjpeg_turbo")]
    paths = [record.path for record in reader.source.records]
    parts = [versions, stamp, paths, reader.resolution, reader.max_pixels]
    parts += [] if reader.grey_range is None else [reader.grey_range]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _into_memory(
    reader: ImageReader, image_resolution: int, cache: PixelCache | None, key: str | None
) -> tuple[Pixels, PixelMetadata]:
    pixels = np.empty(reader.shape, np.uint8)
    began_s = time.monotonic()
    metadata = PixelMetadata(image_resolution, reader.read_all(pixels))
    took_s = time.monotonic() - began_s
    # A file that has changed meanwhile may have been decoded before or after the change.
    if cache and key and took_s >= MIN_CACHED_S and content_key(reader) == key:
        cache.put(key, pixels, metadata, STORING_SHARE * took_s)
    return pixels, metadata


def _into_cache(
    reader: ImageReader, image_resolution: int, cache: PixelCache, key: str, size: str
) -> tuple[Pixels, PixelMetadata]:
    with cache.mapped(reader.shape) as mapped:
        logger.info("%s, over the memory budget: decoded into a file in %s", size, cache.folder)
        metadata = PixelMetadata(image_resolution, reader.read_all(mapped.pixels))
        if content_key(reader) == key:
            mapped.finish(key, metadata)
        return mapped.unshared(), metadata


def _decoded(pixels: Pixels, metadata: PixelMetadata) -> DecodedImages:
    return DecodedImages(torch.from_numpy(pixels), metadata.image_resolution, metadata.unreadable)


def _megabytes(reader: ImageReader) -> int:
    return round(num_bytes(reader) / 1e6)
