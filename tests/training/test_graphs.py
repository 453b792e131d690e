"""Recorded training steps; most tests need a GPU."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nasoa.arch import StagedNetwork
from nasoa.config import TrainingConfig
from nasoa.training.graphs import record
from nasoa.training.precision import Precision
from nasoa.training.sgd import NesterovSGD

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
HALF = Precision(torch.device("cuda"), torch.bfloat16, channels_last=True)
FULL = Precision(torch.device("cuda"), None, channels_last=True)


def batches(precision: Precision, count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        precision.place_images(torch.rand(8, 3, 32, 32, generator=generator)) for _ in range(count)
    ]


def train(module: nn.Module, images: list[Tensor], precision: Precision) -> list[float]:
    config = TrainingConfig(lr=0.05, lr_schedule="constant", iterations=0, batch_size=8)
    optimizer = NesterovSGD(module, config)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1], device=precision.device)
    losses = []
    for batch in images:
        with precision.autocast():
            loss = functional.cross_entropy(module(batch).float(), labels)
        loss.backward()
        optimizer.step(0.05)
        losses.append(loss.item())
    return losses


def test_nothing_is_recorded_on_a_cpu(network: StagedNetwork, precision: Precision) -> None:
    assert not record(network, torch.zeros(2, 3, 32, 32), precision)


@needs_gpu
@pytest.mark.parametrize("precision", [FULL, HALF], ids=["float32", "bfloat16"])
def test_recorded_steps_train_as_launched_ones_do(
    network: StagedNetwork, precision: Precision
) -> None:
    launched = precision.place(network).train()
    played = copy.deepcopy(launched)
    images = batches(precision, 6)
    before = {name: value.clone() for name, value in played.state_dict().items()}
    assert record(played, images[0], precision)
    for name, value in played.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.0, atol=0.0)
    expected = train(launched, images, precision)
    found = train(played, images, precision)
    tolerance = 1e-3 if precision is FULL else 3e-2
    assert found == pytest.approx(expected, rel=tolerance)
    assert found[0] != found[-1]
    batch_norm = next(m for m in played.modules() if isinstance(m, nn.BatchNorm2d))
    assert batch_norm.num_batches_tracked == len(images)
    played.eval()
    launched.eval()
    with torch.inference_mode():
        outputs = played(images[0]), launched(images[0])
    torch.testing.assert_close(*outputs, rtol=0.1, atol=0.05)


@needs_gpu
def test_what_cannot_be_recorded_is_launched() -> None:
    class Waiting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, features: Tensor) -> Tensor:
            scale: float = features.sum().item()
            return self.linear(features) * scale  # type: ignore[no-any-return]

    waiting = Waiting().cuda().train()
    features = torch.ones(2, 4, device="cuda")
    assert not record(waiting, features, FULL)
    assert waiting(features).shape == (2, 3)
