"""Shrink images of a data set."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from nasoa.config import untimed
from nasoa.cores import num_cores

if TYPE_CHECKING:
    from nasoa.data.dataset import ImageSplit

_BATCH = 256
_CHUNK = 32  # images that a thread takes at a time


def small_images(
    split: ImageSplit, indices: Tensor, resolution: int, check_time: Callable[[], None] = untimed
) -> Tensor:
    """Return images of a split as uint8 `(n, 3, r, r)`, shrunk if they are larger than `r`.

    Args:
        split: the split.
        indices: `(n,)` indices of the images, at least one.
        resolution: largest height and width of the result, in pixels.
        check_time: called between batches; raises if the time is over.
    """
    found = []
    for images, _labels in split.batches(indices.split(_BATCH)):
        check_time()
        found.append(shrink(images, resolution))
    return torch.cat(found)


def shrink(images: Tensor, resolution: int) -> Tensor:
    """Return uint8 `(n, 3, R, R)` images resized with antialiasing, or as they are if not larger.

    torch resizes uint8 images with vector instructions, but on one core only; hence the threads.
    """
    if images.shape[-1] <= resolution:
        return images

    def resize(chunk: Tensor) -> Tensor:
        size = (resolution, resolution)
        return F.interpolate(chunk, size, mode="bilinear", align_corners=False, antialias=True)

    with ThreadPoolExecutor(num_cores()) as pool:
        return torch.cat(list(pool.map(resize, images.split(_CHUNK))))
