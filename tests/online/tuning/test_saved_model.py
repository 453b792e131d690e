"""A saved model classifies the same in batches of any size."""

from __future__ import annotations

import pytest
import torch

from nasoa.arch import build_network, parse
from nasoa.online.tuning.saved_model import Classifier, ModelCard, batch_size, from_files, to_files
from nasoa.records import Regime
from nasoa.training.precision import Precision
from nasoa.zoo.networks import describe

ENCODING = "020- 8 1-2-1-2"
FLOAT32 = Precision(torch.device("cpu"), None, channels_last=True)


def card(*, mirror_safe: bool) -> tuple[dict[str, bytes], ModelCard]:
    torch.manual_seed(0)
    network = build_network(parse(ENCODING), 3)
    torch.nn.init.normal_(network.head.fc.weight)  # type: ignore[union-attr,arg-type]
    entry = describe(
        "tiny",
        network,
        encoding=ENCODING,
        family="ET-NAS",
        resolution=32,
        num_classes=3,
        source="x",
        source_accuracy=0.5,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
    )
    regime = Regime(
        model="tiny",
        lr=0.1,
        frozen_stages=-1,
        iterations=1,
        batch_size=8,
        resolution=32,
        lr_schedule="cosine",
    )
    made = ModelCard(
        task_id="t",
        dataset="d",
        class_names=("a", "b", "c"),
        entry=entry,
        regime=regime,
        mirror_safe=mirror_safe,
        accuracy=0.5,
    )
    return to_files(network, made), made


@pytest.mark.parametrize("mirror_safe", [False, True])
def test_each_image_gets_what_the_network_says_of_it_alone(mirror_safe: bool) -> None:
    files, made = card(mirror_safe=mirror_safe)
    network, read = from_files(files.__getitem__)
    assert read == made
    classifier = Classifier(network.train(), read, FLOAT32)
    images = torch.randint(
        0, 256, (37, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    together = classifier.probabilities(images)
    assert together.shape == (37, 3)
    assert torch.allclose(together.sum(1), torch.ones(37))
    alone = torch.cat([classifier.probabilities(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)
    assert together.std(0).min() > 1e-3  # images differ
    mirrored = classifier.probabilities(images.flip(3))
    assert torch.allclose(together, mirrored, atol=1e-5) == mirror_safe


@pytest.mark.parametrize(
    ("resolution", "expected"), [(32, 256), (64, 256), (96, 113), (128, 64), (224, 64), (600, 64)]
)
def test_a_batch_has_64_to_256_images(resolution: int, expected: int) -> None:
    assert batch_size(resolution) == expected
