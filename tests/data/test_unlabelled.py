"""Training images of several data sets as one split, of which only the first set has labels."""

from __future__ import annotations

import torch

from nasoa.data import load_dataset, with_unlabelled
from nasoa.data.unlabelled import UNLABELLED


def test_images_of_all_sets_come_in_the_order_asked_and_only_the_first_has_labels() -> None:
    first = load_dataset("sklearn:digits:classes=0,1:per_class=20", seed=0, resolution=16)
    second = load_dataset("sklearn:digits:classes=2,3:per_class=20", seed=0, resolution=16)
    larger = load_dataset("sklearn:digits:classes=4,5:per_class=20", seed=0, resolution=32)
    both = with_unlabelled(first, [second, larger])
    a, b = len(first.train), len(second.train)
    assert len(both.train) == a + b + len(larger.train)
    assert torch.equal(both.train.labels[:a], first.train.labels)
    assert set(both.train.labels[a:].tolist()) == {UNLABELLED}
    indices = torch.tensor([a + b + 3, 2, a + 5, 0, a])
    images = both.train.images(indices)
    assert images.shape == (5, 3, 16, 16)
    assert images.dtype == torch.uint8
    assert torch.equal(images[1], first.train.images(torch.tensor([2]))[0])
    assert torch.equal(images[2], second.train.images(torch.tensor([5]))[0])
    assert torch.equal(images[4], second.train.images(torch.tensor([0]))[0])
    # Larger images are resized: their mean stays.
    original = larger.train.images(torch.tensor([3]))[0].float().mean()
    assert abs(float(images[0].float().mean() - original)) < 2.0
    ((batch, labels),) = both.train.batches([indices])
    assert torch.equal(batch, images)
    assert labels.tolist() == both.train.labels[indices].tolist()
    assert both.val is first.val
    assert both.test is first.test
