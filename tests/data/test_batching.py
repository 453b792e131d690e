"""The order of training images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nasoa.data import BatchOrder


@given(
    num_images=st.integers(1, 40),
    batch_size=st.integers(1, 60),
    seed=st.integers(0, 2**32),
    epochs=st.integers(1, 4),
)
def test_every_epoch_holds_every_image_once(
    num_images: int, batch_size: int, seed: int, epochs: int
) -> None:
    order = BatchOrder(num_images, batch_size, seed)
    count = -(-num_images * epochs // batch_size)
    batches = [order.indices(iteration) for iteration in range(count)]
    assert all(batch.shape == (batch_size,) and batch.dtype == torch.int64 for batch in batches)
    flat = torch.cat(batches)
    for epoch in range(epochs):
        part = flat[epoch * num_images : (epoch + 1) * num_images]
        assert torch.equal(part.sort().values, torch.arange(num_images))


def test_a_batch_depends_on_seed_and_iteration_alone() -> None:
    forwards = BatchOrder(50, 16, seed=3)
    resumed = BatchOrder(50, 16, seed=3)
    expected = [forwards.indices(iteration) for iteration in range(20)]
    for iteration in (19, 3, 7):
        assert torch.equal(resumed.indices(iteration), expected[iteration])


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    first, second = (BatchOrder(100, 100, seed=0).indices(epoch) for epoch in (0, 1))
    other = BatchOrder(100, 100, seed=1).indices(0)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, torch.arange(100))


def test_nothing_to_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match="num_images and batch_size of at least 1"):
        BatchOrder(0, 16, seed=0)
