"""Where the images of a data set are read from: memory, the cache, or the data each time."""

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

# Increased whenever the same file gives other pixels than before.
DECODER_VERSION = 2
# Images that are decoded in less time are not stored.
MIN_CACHED_S = 0.5
# They are stored in at most this fraction of the time in which they were decoded.
STORING_SHARE = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DecodedImages:
    """The images of a data set, and what was learned when they were read.

    Args:
        images: `(n, 3, R, R)` uint8, in memory or mapped from a file; None where they have to be
            decoded whenever they are used.
        native_resolution: see `ImageDataset`.
        unreadable: index of each image that cannot be read, and why.
        decoding_s: see `ImageDataset`.
    """

    images: Tensor | None
    native_resolution: int
    unreadable: Unreadable
    decoding_s: float = 0.0


def decode_images(
    reader: ImageReader, data: str, config: DataConfig, native_resolution: Callable[[], int]
) -> DecodedImages:
    """Find the decoded images of a data set in the cache, or decode them as their size allows.

    Images that fit `config.memory_budget_bytes` are decoded into memory. More of them are decoded
    into a file of the cache if that may be large enough, and are else decoded whenever they are
    used. One line of the log says beforehand which of these happens.

    Args:
        reader: of all images, at the resolution at which they are stored.
        data: DATA, for messages.
        config: limits.
        native_resolution: computes that of the data; called where the cache does not have it.

    Raises:
        DataError: an image has too many pixels.
        InvalidInput: the environment sets a malformed bound of the cache.
    """
    size = f"{data}: {reader.shape[0]} images of {reader.resolution} px, {_megabytes(reader)} MB"
    fits = num_bytes(reader) <= config.memory_budget_bytes
    cache = open_cache(config.workers) if fits or not _is_shared(reader) else None
    key = content_key(reader) if cache else None
    if cache and key and (stored := cache.get(key, reader.shape)):
        logger.info("%s: mapped from the cache %s", size, cache.folder)
        return _decoded(*stored)
    native = native_resolution()
    if fits:
        logger.info("%s: decoded into memory", size)
        began_s = time.monotonic()
        found = _decoded(*_into_memory(reader, native, cache, key))
        return replace(found, decoding_s=time.monotonic() - began_s)
    if cache and key:
        try:
            return _decoded(*_into_cache(reader, native, cache, key, size))
        except OSError as error:
            logger.debug("no file in the cache for %s: %s", data, error)
    logger.info("%s, over the budget: decoded from the data whenever they are used", size)
    # Shards hold too many images to read all headers beforehand: an unreadable one is detected when
    # it is used.
    streamed = isinstance(reader.source, ShardSource)
    unreadable = {} if streamed else reader.sizes(range(reader.shape[0]))[1]
    return DecodedImages(None, native, unreadable)


def num_bytes(reader: ImageReader) -> int:
    """Bytes of all decoded images together."""
    return int(np.prod(reader.shape))


def _is_shared(reader: ImageReader) -> bool:
    """Whether several processes, on any number of machines, may train on the images together.

    All of them have to see the same images. Those that are decoded when they are used are counted
    with the damaged ones among them, those in the cache without; and the cache of one machine may
    have room where that of another has not.
    """
    together = os.environ.get("WORLD_SIZE", "1") not in ("", "1")  # as torchrun sets it
    return together or isinstance(reader.source, ShardSource)


def content_key(reader: ImageReader) -> str | None:
    """Hex digest of all that decoded images depend on; None where nothing cheap shows a change."""
    stamp = reader.source.stamp()
    if stamp is None:
        return None
    versions = [DECODER_VERSION, PIL.__version__, features.version("libjpeg_turbo")]
    paths = [record.path for record in reader.source.records]
    parts = [versions, stamp, paths, reader.resolution, reader.max_pixels]
    parts += [] if reader.grey_range is None else [reader.grey_range]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _into_memory(
    reader: ImageReader, native: int, cache: PixelCache | None, key: str | None
) -> tuple[Pixels, PixelMetadata]:
    pixels = np.empty(reader.shape, np.uint8)
    began_s = time.monotonic()
    metadata = PixelMetadata(native, reader.read_all(pixels))
    took_s = time.monotonic() - began_s
    # A file that changed meanwhile may be decoded in either state.
    if cache and key and took_s >= MIN_CACHED_S and content_key(reader) == key:
        cache.put(key, pixels, metadata, STORING_SHARE * took_s)
    return pixels, metadata


def _into_cache(
    reader: ImageReader, native: int, cache: PixelCache, key: str, size: str
) -> tuple[Pixels, PixelMetadata]:
    with cache.mapped(reader.shape) as mapped:
        logger.info("%s, over the budget: decoded into a file in %s", size, cache.folder)
        metadata = PixelMetadata(native, reader.read_all(mapped.pixels))
        if content_key(reader) == key:
            mapped.finish(key, metadata)
        return mapped.unshared(), metadata


def _decoded(pixels: Pixels, metadata: PixelMetadata) -> DecodedImages:
    return DecodedImages(torch.from_numpy(pixels), metadata.native_resolution, metadata.unreadable)


def _megabytes(reader: ImageReader) -> int:
    return round(num_bytes(reader) / 1e6)
