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
    brightness: float = 0.0,
    contrast: float = 0.0,
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
        brightness: pixels are multiplied by up to 1 plus or minus this.
        contrast: distances from an image's mean are multiplied by up to 1 plus or minus this.
        part: which of the images of a batch these are, where they are not all; each is then changed
            as it would be among the others.
        batch_size: images of that batch.

    Returns:
        float32 `(b, c, resolution, resolution)` in [0, 1].
    """
    drawn = len(images) if batch_size is None else batch_size
    chance = torch.rand((7, drawn), generator=generator, device=generator.device)
    chance = chance[:, part or slice(None)].to(images.device)
    theta = _affine(chance[:5], flip, min_scale)
    floats = _shrunk(images.float().div_(255), resolution)
    size = [len(images), images.shape[1], resolution, resolution]
    grid = F.affine_grid(theta, size, align_corners=False)
    # A shift shows a little of what lies beyond the border: the image's own reflection.
    result = F.grid_sample(floats, grid, padding_mode="reflection", align_corners=False)
    if brightness or contrast:
        result = _jittered(result, chance[5:], brightness, contrast)
    return result


def _affine(chance: Tensor, flip: bool, min_scale: float) -> Tensor:
    """`(b, 2, 3)` maps from result to image, both in [-1, 1], of `(5, b)` chances in [0, 1)."""
    area = min_scale + (1 - min_scale) * chance[0]
    stretch = torch.exp((2 * chance[1] - 1) * (math.log1p(ASPECT_JITTER) / 2))
    width = (area.sqrt() * stretch).clamp(max=1)
    height = (area.sqrt() / stretch).clamp(max=1)
    theta = torch.zeros((chance.shape[1], 2, 3), device=chance.device)
    theta[:, 0, 0] = torch.where(chance[2] < 0.5, -width, width) if flip else width
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (2 * chance[3] - 1) * (1 - width + SHIFT)
    theta[:, 1, 2] = (2 * chance[4] - 1) * (1 - height + SHIFT)
    return theta


def _shrunk(images: Tensor, resolution: int) -> Tensor:
    """Images averaged down to less than twice `resolution`: sampling alone would alias."""
    factor = min(images.shape[-2:]) // resolution
    return F.avg_pool2d(images, factor) if factor >= 2 else images


def _jittered(images: Tensor, chance: Tensor, brightness: float, contrast: float) -> Tensor:
    """Brightness and contrast changed by `(2, b)` chances."""
    gains = (1 + (2 * chance - 1) * torch.tensor([[brightness], [contrast]]).to(chance)).view(
        2, -1, 1, 1, 1
    )
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * gains[1] + mean).mul_(gains[0]).clamp_(0, 1)
