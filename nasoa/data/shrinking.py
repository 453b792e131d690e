"""Shrink images in memory once, instead of in each training step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor

from nasoa.cores import num_cores

_THREADS = 2
_CHUNK = 32  # images that a thread takes at a time


def shrink(images: Tensor, rows: Tensor, resolution: int) -> Tensor:
    """Resize selected images with antialiasing.

    torch resizes uint8 images with vector instructions, but on one core only; hence the threads.

    Args:
        images: `(m, 3, R, R)` uint8 images, contiguous.
        rows: `(n,)` indices of the images.
        resolution: height and width of the result, below R.

    Returns:
        `(n, 3, resolution, resolution)` uint8 images.
    """
    result = torch.empty((len(rows), images.shape[1], resolution, resolution), dtype=torch.uint8)
    array = images.numpy()

    def resize(start: int) -> None:
        chunk = torch.from_numpy(array[rows[start : start + _CHUNK].numpy()])
        result[start : start + _CHUNK] = F.interpolate(
            chunk, (resolution, resolution), mode="bilinear", align_corners=False, antialias=True
        )

    with ThreadPoolExecutor(min(_THREADS, num_cores())) as pool:
        for _done in pool.map(resize, range(0, len(rows), _CHUNK)):
            pass
    return result
