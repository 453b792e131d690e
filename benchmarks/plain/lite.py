"""EfficientNet-Lite0 with ImageNet weights, and the largest image size that fits a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn

from nasoa.training.precision import Precision, best_precision
from nasoa.zoo import lite_models

NAME = "efficientnet-lite0"
NUM_FEATURES = 1280
SIZES = (64, 96, 128, 160, 192, 224)
MAX_ENLARGEMENT = 3
BATCH = 64


@cache
def _weights() -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(lite_models.weights_file(NAME, ""), weights_only=True)
    return state


def lite0(resolution: int, head: nn.Module) -> nn.Module:
    """Return the pretrained network with `head` on its `(n, 1280)` pooled features."""
    network = lite_models.load(NAME, 1000, resolution, _weights())
    network._fc = head
    return network


def normalised(images: Tensor, precision: Precision) -> Tensor:
    """Return uint8 `(b, 3, r, r)` images in the network's input format, in channels_last."""
    return precision.normalise(images.float().div_(255), lite_models.MEAN, lite_models.STD)


def precisions() -> list[Precision]:
    """Return the number formats to try: float32, and bfloat16 if the device computes in it.

    A CPU without bfloat16 instructions emulates it, at a twentieth of the speed of float32; even
    one step to measure that would take most of a short limit.
    """
    best = best_precision()
    return [best] if best.autocast_dtype is None else [best, replace(best, autocast_dtype=None)]


def candidate_sizes(image_resolution: int) -> list[int]:
    """Return `SIZES` up to three times the images' own size, ascending; always the smallest."""
    return [SIZES[0]] + [s for s in SIZES[1:] if s <= MAX_ENLARGEMENT * image_resolution]


def largest_size(
    sizes: list[int], batch_s: Callable[[int], float], batches: float, end: float
) -> int:
    """Return the largest size at which a number of batches finishes before a time.

    One batch is timed at the smallest size. The largest size that then fits, if time grows with
    the number of pixels, is timed as well, and smaller ones until one fits; the result is the
    smallest if none does.

    Args:
        sizes: image sizes in pixels, ascending.
        batch_s: measures the seconds of one batch at a size.
        batches: number of batches.
        end: time by which they must be finished, of `time.perf_counter`.
    """
    smallest = batch_s(sizes[0])
    left_s = end - time.perf_counter()
    by_pixels = [s for s in sizes if batches * smallest * (s / sizes[0]) ** 2 <= left_s]
    for size in reversed(by_pixels[1:]):
        if batches * batch_s(size) <= end - time.perf_counter():
            return size
    return sizes[0]


def timed(step: Callable[[Tensor], object], size: int) -> float:
    """Return the seconds of `step` for a batch of `(64, 3, size, size)` random images.

    A first call with a quarter of a batch lets the libraries set up their caches.
    """
    images = torch.randint(256, (BATCH, 3, size, size), dtype=torch.uint8)
    step(images[: BATCH // 4])
    began = time.perf_counter()
    step(images)
    return time.perf_counter() - began
