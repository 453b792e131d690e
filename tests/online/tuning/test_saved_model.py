"""A saved model gives the same predictions in batches of any size."""

from __future__ import annotations

import pytest
import torch

from nasoa.online.tuning.saved_model import Classifier, batch_size, from_files
from nasoa.training.precision import Precision
from tests.random_model import random_model

FLOAT32 = Precision(torch.device("cpu"), None, channels_last=True)


@pytest.mark.parametrize("mirror_safe", [False, True])
def test_each_image_gets_what_the_network_says_of_it_alone(mirror_safe: bool) -> None:
    files, made = random_model(("a", "b", "c"), mirror_safe=mirror_safe)
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
