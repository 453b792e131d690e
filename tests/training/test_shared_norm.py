"""Batch normalisation over several processes; tests/offline tests it with two processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import distributed, nn

from nasoa.training.shared_norm import SharedBatchNorm, with_shared_statistics


@pytest.fixture
def one_process() -> Iterator[None]:
    """A process group that consists of this process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_of_one_process_it_is_torchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    # A channel far from zero with a tiny variance is sensitive to rounding.
    images = torch.randn(6, 3, 4, 4, generator=generator)
    images[:, 1] = 50 + 1e-2 * images[:, 1]
    plain = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1))
    shared = with_shared_statistics(plain)
    assert isinstance(shared[0], SharedBatchNorm)  # type: ignore[index]
    assert list(shared.state_dict()) == list(plain.state_dict())
    for _ in range(2):
        results = []
        for network in (plain, shared):
            inputs = images.clone().requires_grad_()
            network(inputs).square().sum().backward()
            results.append([inputs.grad, *(p.grad for p in network.parameters())])
        for own, torchs in zip(*results, strict=True):
            assert own is not None
            assert torchs is not None
            assert torch.allclose(own, torchs, rtol=1e-3, atol=1e-3)
    for name, value in plain.state_dict().items():
        assert torch.allclose(shared.state_dict()[name], value, rtol=1e-4), name
    shared.eval()
    plain.eval()
    assert torch.allclose(shared(images), plain(images), atol=1e-4)
