"""Augmentation of batches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nasoa.data.augment import _grid, augment, to_float


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(size: int, count: int = 16) -> Tensor:
    shape = (count, 3, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(99))


def ramps(count: int = 200, size: int = 32) -> Tensor:
    """Return images that are dark on the left and bright on the right."""
    row = torch.linspace(0, 255, size).to(torch.uint8)
    return row.expand(count, 3, size, size).contiguous()


def test_to_float_keeps_values_and_resizes_with_antialiasing() -> None:
    images = noise(32)
    assert torch.equal(to_float(images, 32), images.float() / 255)
    checks = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    checks[..., ::2, ::2] = 255
    checks[..., 1::2, 1::2] = 255
    small = to_float(checks, 16)
    assert small.shape == (1, 3, 16, 16)
    assert small.dtype == torch.float32
    assert (small - 0.5).abs().max() < 0.02


@pytest.mark.parametrize(("stored", "resolution"), [(64, 64), (64, 32), (32, 64), (224, 48)])
def test_shape_and_range(stored: int, resolution: int) -> None:
    result = augment(
        noise(stored),
        generator(),
        resolution=resolution,
        flip=True,
        min_scale=0.3,
    )
    assert result.shape == (16, 3, resolution, resolution)
    assert result.dtype == torch.float32
    assert result.min() >= 0
    assert result.max() <= 1


def test_the_generator_decides_everything() -> None:
    images = noise(32)
    one, same, other = (
        augment(images, generator(seed), resolution=32, flip=True, min_scale=0.5)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_about_half_are_mirrored_when_asked() -> None:
    def rising(flip: bool) -> float:
        result = augment(ramps(), generator(), resolution=32, flip=flip, min_scale=0.5)
        return float((result[..., -1] > result[..., 0]).all(dim=(1, 2)).float().mean())

    assert rising(flip=False) == 1
    assert 0.4 < rising(flip=True) < 0.6


def test_min_scale_bounds_what_a_crop_leaves_out() -> None:
    def widths(min_scale: float) -> Tensor:
        result = augment(ramps(), generator(), resolution=32, flip=False, min_scale=min_scale)
        return result.amax(dim=(1, 2, 3)) - result.amin(dim=(1, 2, 3))

    assert widths(1.0).min() > 0.85
    small = widths(0.25)
    assert 0.4 < small.min() < 0.6
    assert small.max() > 0.9


def test_the_grid_is_that_of_the_affine_maps() -> None:
    scale = torch.tensor([[0.9, -0.8, 1.0], [0.7, 1.0, 0.5]])
    shift = torch.tensor([[0.1, -0.2, 0.0], [0.3, 0.04, -0.5]])
    theta = torch.zeros(3, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = scale
    theta[:, :, 2] = shift.T
    expected = F.affine_grid(theta, [3, 1, 24, 24], align_corners=False)
    assert torch.allclose(_grid(scale, shift, 24), expected, atol=1e-6)


def test_a_large_image_is_averaged_down_before_it_is_sampled() -> None:
    checks = torch.zeros(8, 3, 128, 128, dtype=torch.uint8)
    checks[..., ::2] = 255
    result = augment(checks, generator(), resolution=32, flip=False, min_scale=0.9)
    assert (result - 0.5).abs().max() < 0.05
