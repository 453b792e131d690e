"""Probes: their features, and how models are ranked by them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.data import ImageDataset, load_dataset
from nasoa.online.task.landmark import landmark_accuracy
from nasoa.online.task.probe import BATCH, Sample, fit_probe, known_features, pooled_features
from nasoa.records import ZooEntry
from nasoa.training.precision import Precision
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe

PLAIN = Precision(torch.device("cpu"), None, channels_last=False)
ENCODING = "020- 8 1-2-1-2"


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("sklearn:digits:classes=0,1,2:per_class=60", seed=0, resolution=32)


@pytest.fixture(scope="module")
def network() -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse(ENCODING), 3)


@pytest.fixture(scope="module")
def tiny(network: StagedNetwork) -> ZooEntry:
    return describe(
        network,
        Pretraining(
            name="tiny",
            resolution=32,
            mean=(0.4, 0.5, 0.6),
            std=(0.2, 0.25, 0.3),
            source="none",
            accuracy=0.5,
        ),
        family="tiny",
        encoding=ENCODING,
    )


@pytest.mark.parametrize("resolution", [32, 48])
def test_features_are_pooled_ones_of_the_images_in_their_order(
    network: StagedNetwork, tiny: ZooEntry, digits: ImageDataset, resolution: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    indices = torch.randperm(len(digits.train), generator=generator)[: BATCH + 9]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found, image_s = pooled_features(network, tiny, digits, indices, resolution, PLAIN)
    assert 0 < image_s < 1
    floats = digits.train.images(indices).float() / 255
    size = (resolution, resolution)
    resized = functional.interpolate(
        floats, size, mode="bilinear", align_corners=False, antialias=True
    )
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (tiny.mean, tiny.std))
    body = nn.Sequential(*network.parts[:-1])
    with torch.no_grad():
        expected = body.eval()((resized - mean) / std).mean(dim=(2, 3))
    body.train()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def sample(count: int = 80, num_classes: int = 4) -> Sample:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(num_classes, (count,), generator=generator)
    return Sample(
        indices=torch.randperm(1000, generator=generator)[:count],
        labels=labels,
        reference=torch.randn(count, 6, generator=generator) + labels[:, None],
    )


def test_a_model_is_judged_beside_the_reference_on_the_same_images(tiny: ZooEntry) -> None:
    asked = sample()
    generator = torch.Generator().manual_seed(1)
    far_apart = 5.0 * functional.one_hot(asked.labels, 9).float()
    features = far_apart + torch.randn(80, 9, generator=generator)
    probe = fit_probe(tiny, 96, features, asked)
    assert probe is not None
    assert (probe.model, probe.resolution, probe.num_images) == ("tiny", 96, 80)
    # These fields let a probe inform about other models of the same source.
    assert (probe.source, probe.source_accuracy, probe.source_classes) == ("none", 0.5, 3)
    assert probe.model_resolution == 32
    assert probe.accuracy == landmark_accuracy(features, asked.labels)
    assert probe.accuracy > 0.95
    assert probe.reference_accuracy == landmark_accuracy(asked.reference, asked.labels)
    assert probe.reference_accuracy < probe.accuracy
    same = fit_probe(tiny, 64, asked.reference, asked)
    assert same is not None
    assert same.accuracy == same.reference_accuracy == probe.reference_accuracy


def test_too_few_images_of_a_class_are_no_probe(tiny: ZooEntry) -> None:
    asked = sample(4)
    lonely = Sample(
        indices=asked.indices, labels=torch.tensor([0, 1, 2, 3]), reference=asked.reference
    )
    assert fit_probe(tiny, 64, torch.randn(4, 5), lonely) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_features_that_are_not_finite_are_no_probe(tiny: ZooEntry, value: float) -> None:
    asked = sample()
    features = asked.reference.clone()
    assert fit_probe(tiny, 64, features, asked) is not None
    features[11, 3] = value
    assert fit_probe(tiny, 64, features, asked) is None


def test_the_first_images_of_a_sample_belong_together() -> None:
    asked = sample()
    first = asked.first(30)
    for part in ("indices", "labels", "reference"):
        assert torch.equal(getattr(first, part), getattr(asked, part)[:30])
    assert len(asked.first(500).labels) == 80
    features = torch.rand(30, 5)
    known = known_features(first, features)
    assert torch.equal(known.indices, asked.indices[:30])
    assert torch.equal(known.features, features)
