"""Augment batches for training, and convert uint8 images for evaluation.

One affine map per image combines the random crop (Szegedy et al. 2015), the mirroring and the
shift, so that each image is resampled once.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ASPECT_JITTER = 0.15
SHIFT = 0.04
CHANCES = 5  # random numbers per image: area, aspect ratio, mirroring, and two shifts


def to_float(images: Tensor, resolution: int) -> Tensor:
    """Convert images for evaluation, without a crop; resize them with antialiasing if necessary.

    Args:
        images: `(b, c, h, w)` uint8 images.
        resolution: height and width of the result.

    Returns:
        float32 `(b, c, resolution, resolution)` in [0, 1].
    """
    floats = images.float().div_(255)
    if images.shape[-2:] == (resolution, resolution):
        return floats
    size = (resolution, resolution)
    return F.interpolate(floats, size, mode="bilinear", align_corners=False, antialias=True)


def augment(
    images: Tensor,
    generator: torch.Generator,
    *,
    resolution: int,
    flip: bool,
    min_scale: float,
    part: slice | None = None,
    batch_size: int | None = None,
) -> Tensor:
    """Convert images for training: crop and shift each at random, and mirror half of them.

    Args:
        images: `(b, c, h, w)` uint8 images.
        generator: random generator; equal states give equal results.
        resolution: height and width of the result.
        flip: whether to mirror half of the images from left to right.
        min_scale: smallest fraction of an image's area that a crop keeps, in (0, 1].
        part: position of these images in a larger batch, if they are only a part of it; each is
            augmented as it would be in that batch.
        batch_size: number of images in that batch.

    Returns:
        float32 `(b, c, resolution, resolution)` in [0, 1].
    """
    drawn = len(images) if batch_size is None else batch_size
    chance = torch.rand((CHANCES, drawn), generator=generator, device=generator.device)
    chance = chance[:, part or slice(None)]
    return augment_by(images, chance, resolution=resolution, flip=flip, min_scale=min_scale)


def augment_by(
    images: Tensor, chance: Tensor, *, resolution: int, flip: bool, min_scale: float
) -> Tensor:
    """Augment images as `augment` does, but by given random numbers, so that it can be repeated.

    Equal numbers give the same crop at any resolution.

    Args:
        images: see `augment`.
        chance: `(CHANCES, b)` random numbers in [0, 1).
        resolution: see `augment`.
        flip: see `augment`.
        min_scale: see `augment`.
    """
    scale, shift = _affine(chance.to(images.device), flip, min_scale)
    floats = _shrunk(images.float().div_(255), resolution)
    # A shift can reach a little beyond the border, which is filled with a reflection of the image.
    return F.grid_sample(
        floats, _grid(scale, shift, resolution), padding_mode="reflection", align_corners=False
    )


def _affine(chance: Tensor, flip: bool, min_scale: float) -> tuple[Tensor, Tensor]:
    """Return `(2, b)` scales and `(2, b)` shifts of the maps from coordinates of result to image.

    Coordinates are in [-1, 1]. The first row is horizontal, the second vertical; a negative scale
    mirrors the image.
    """
    area = min_scale + (1 - min_scale) * chance[0]
    stretch = torch.exp((2 * chance[1] - 1) * (math.log1p(ASPECT_JITTER) / 2))
    size = torch.stack([area.sqrt() * stretch, area.sqrt() / stretch]).clamp(max=1)
    shift = (2 * chance[3:5] - 1) * (1 - size + SHIFT)
    if flip:
        size[0] = torch.where(chance[2] < 0.5, -size[0], size[0])
    return size, shift


def _grid(scale: Tensor, shift: Tensor, resolution: int) -> Tensor:
    """Return `(b, resolution, resolution, 2)` image coordinates of the pixels of the result.

    The maps neither rotate nor shear, so each axis is computed once and copied. This is several
    times faster than `F.affine_grid`, which multiplies every pixel by a matrix.
    """
    centres = (torch.arange(resolution, device=scale.device) * 2 + 1) / resolution - 1
    x, y = scale[:, :, None] * centres + shift[:, :, None]
    grid = torch.empty((len(x), resolution, resolution, 2), device=scale.device)
    grid[..., 0] = x[:, None, :]
    grid[..., 1] = y[:, :, None]
    return grid


def _shrunk(images: Tensor, resolution: int) -> Tensor:
    """Shrink images to less than twice `resolution` by averaging, as sampling alone would alias."""
    factor = min(images.shape[-2:]) // resolution
    return F.avg_pool2d(images, factor) if factor >= 2 else images
