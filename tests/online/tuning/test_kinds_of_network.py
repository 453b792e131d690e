"""Networks of tokens and of channels-last maps are fine-tuned like convolutional ones."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.data import ImageDataset, load_dataset
from nasoa.online.tuning.finetune import finetune
from nasoa.online.tuning.job import Job
from nasoa.records import FITTED, HEAD_ONLY, Regime
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.precision import precision_for
from nasoa.training.run import WorkCost
from nasoa.zoo.backbones import build_staged
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe

SIDE = 64
WORK = WorkCost(step_s=0.1, eval_image_s=0.001, frozen_image_s=0.001, fit_image_s=1e-4)
NETWORKS = ("timm:vit_tiny_patch16_224", "timm:test_convnext", "torchvision:swin_t")
WAYS = [
    (frozen, cached)
    for frozen, cached in product(range(-1, HEAD_ONLY + 1), (False, True))
    if (frozen > 0 or not cached) and (cached or frozen != HEAD_ONLY)
]


@pytest.fixture(scope="module")
def data() -> ImageDataset:
    return load_dataset("sklearn:digits:classes=0,1:per_class=20", seed=0, resolution=32)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> StagedNetwork:
    if request.param.startswith("timm"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    made = build_staged(request.param, 2, SIDE)
    nn.init.zeros_(made.head.fc.weight)
    nn.init.zeros_(made.head.fc.bias)
    return made


@pytest.mark.parametrize(("frozen_stages", "cached"), WAYS)
def test_every_regime_of_a_network_can_be_trained(
    network: StagedNetwork, data: ImageDataset, frozen_stages: int, cached: bool
) -> None:
    is_head = frozen_stages == HEAD_ONLY
    regime = Regime(
        model="new",
        lr=1.0 if is_head else 1e-3,
        frozen_stages=frozen_stages,
        iterations=2,
        batch_size=16,
        resolution=SIDE,
        lr_schedule=FITTED if is_head else "cosine",
        fills_limit=False,
        cached_features=cached,
        fitted_head=True,
    )
    pretraining = Pretraining(
        name="new", resolution=SIDE, mean=(0.5,) * 3, std=(0.25,) * 3, source="none", accuracy=0.5
    )
    tuned = finetune(
        Job(
            network=network,
            data=data,
            regime=regime,
            entry=describe(network, pretraining, family="new"),
            mirror_safe=False,
            precision=precision_for(network),
            seed=0,
        ),
        Deadline(WallClock(), 600.0),
        WORK,
    )
    assert tuned.training.ended == "iterations"
    assert 0.0 <= tuned.accuracy <= 1.0
