"""A tiny network and data set that train in milliseconds."""

from __future__ import annotations

import pytest
import torch

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.data import ImageDataset, load_dataset
from nasoa.training.precision import Precision

PLAIN = Precision(torch.device("cpu"), None, channels_last=False)


@pytest.fixture(scope="session")
def digits() -> ImageDataset:
    """Images of three digits at 32 px."""
    return load_dataset("sklearn:digits:classes=0,1,2:per_class=60", seed=0, resolution=32)


@pytest.fixture
def network() -> StagedNetwork:
    """A network with a few thousand parameters and three classes."""
    torch.manual_seed(0)
    return build_network(parse("020- 8 1-2-1-2"), num_classes=3)


@pytest.fixture
def precision() -> Precision:
    return PLAIN
