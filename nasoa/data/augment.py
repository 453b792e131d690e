"""Augmentation of whole batches, and the plain way from uint8 to float.

One affine map an image does the random crop (Szegedy et al. 2015), the mirroring and the shift in
a single resampling.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ASPECT_JITTER = 0.15
SHIFT = 0.04
CHANCES = 5  # numbers by which an image is changed: area, aspect, mirroring, and two shifts


def to_float(images: Tensor, resolution: int) -> Tensor:
    """Images for evaluation: whole, resized with antialiasing where their size differs.

    Args:
        images: uint8 `(b, c, h, w)`.
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
    """Images for training: each cropped, shifted and perhaps mirrored by chance.

    Args:
        images: uint8 `(b, c, h, w)`.
        generator: decides everything; equal states give equal results.
        resolution: height and width of the result.
        flip: mirror half of the images from left to right.
        min_scale: least share of an image's area that a crop keeps, in (0, 1].
        part: which of the images of a batch these are, where they are not all; each is then changed
            as it would be among the others.
        batch_size: images of that batch.

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
    """`augment` with what chance decides given, so that an image can be had in the same way again.

    Equal chances give the same crop at any resolution.

    Args:
        images: see `augment`.
        chance: `(CHANCES, b)` in [0, 1).
        resolution: see `augment`.
        flip: see `augment`.
        min_scale: see `augment`.
    """
    scale, shift = _affine(chance.to(images.device), flip, min_scale)
    floats = _shrunk(images.float().div_(255), resolution)
    # A shift shows a little of what lies beyond the border: the image's own reflection.
    return F.grid_sample(
        floats, _grid(scale, shift, resolution), padding_mode="reflection", align_corners=False
    )


def _affine(chance: Tensor, flip: bool, min_scale: float) -> tuple[Tensor, Tensor]:
    """Scales and shifts, `(2, b)` each, of maps from result to image for `(CHANCES, b)` in [0, 1).

    Both have coordinates in [-1, 1]. The first row is horizontal, the second vertical; a negative
    scale mirrors.
    """
    area = min_scale + (1 - min_scale) * chance[0]
    stretch = torch.exp((2 * chance[1] - 1) * (math.log1p(ASPECT_JITTER) / 2))
    size = torch.stack([area.sqrt() * stretch, area.sqrt() / stretch]).clamp(max=1)
    shift = (2 * chance[3:5] - 1) * (1 - size + SHIFT)
    if flip:
        size[0] = torch.where(chance[2] < 0.5, -size[0], size[0])
    return size, shift


def _grid(scale: Tensor, shift: Tensor, resolution: int) -> Tensor:
    """`(b, resolution, resolution, 2)` coordinates in the image of each pixel of the result.

    The maps neither rotate nor shear, so each axis is computed once and copied: several times as
    fast as `F.affine_grid`, which multiplies a matrix with every pixel.
    """
    centres = (torch.arange(resolution, device=scale.device) * 2 + 1) / resolution - 1
    x, y = scale[:, :, None] * centres + shift[:, :, None]
    grid = torch.empty((len(x), resolution, resolution, 2), device=scale.device)
    grid[..., 0] = x[:, None, :]
    grid[..., 1] = y[:, :, None]
    return grid


def _shrunk(images: Tensor, resolution: int) -> Tensor:
    """Images averaged down to less than twice `resolution`: sampling alone would alias."""
    factor = min(images.shape[-2:]) // resolution
    return F.avg_pool2d(images, factor) if factor >= 2 else images
