"""Cached features: their values, their order, and the batches to train on."""

from __future__ import annotations

import copy
import gc
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.data import ImageDataset
from nasoa.errors import InvalidInput
from nasoa.scratch import ScratchFolder
from nasoa.training import cached_features
from nasoa.training.cached_features import SLICE, CachedFeatures
from nasoa.training.inputs import ImageInputs, InputConfig, evaluation_order, split_network
from nasoa.training.precision import Precision
from tests.full_disk import largest_file

NUM_CLASSES = 3


def image_inputs(
    network: StagedNetwork,
    data: ImageDataset,
    precision: Precision,
    *,
    frozen: int = 2,
    flip: bool = True,
    batch_size: int = 16,
    seed: int = 0,
) -> ImageInputs:
    config = InputConfig(
        resolution=32,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        batch_size=batch_size,
        flip=flip,
        min_scale=0.8,
        seed=seed,
    )
    return ImageInputs(data, split_network(network, frozen)[0], config, precision)


@pytest.fixture
def inputs(network: StagedNetwork, digits: ImageDataset, precision: Precision) -> CachedFeatures:
    return CachedFeatures(image_inputs(network, digits, precision), pooled=False)


def fill(inputs: CachedFeatures, split: str = "train", side: int = 0) -> None:
    for _ in inputs.fill(split, side):
        pass


def plain_features(
    network: StagedNetwork, data: ImageDataset, split: str, side: int, frozen: int = 2
) -> Tensor:
    """Return the features of all images of a split, computed by the network's own modules."""
    part = getattr(data, split)
    images = (part.images(torch.arange(len(part))).float() / 255 - 0.5) / 0.25
    prefix, _trainable = split_network(network, frozen)
    network.eval()
    with torch.no_grad():
        return prefix(images.flip(3) if side else images)  # type: ignore[no-any-return]


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_features_are_the_prefixs_output_in_half_precision(
    inputs: CachedFeatures, network: StagedNetwork, digits: ImageDataset, split: str, side: int
) -> None:
    for earlier in range(side + 1):
        fill(inputs, split, earlier)
    found = inputs.features(split, torch.arange(inputs.count(split)), side)
    expected = plain_features(network, digits, split, side)
    assert found.dtype is torch.float32
    assert torch.allclose(found, expected, rtol=2e-3, atol=1e-3)
    other = plain_features(network, digits, split, 1 - side)
    assert not torch.allclose(found, other, rtol=2e-3, atol=1e-3)


def test_what_a_head_is_fitted_to_is_the_mean_over_pixels_in_full_precision(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    inputs = CachedFeatures(image_inputs(network, digits, precision, frozen=4), pooled=True)
    fill(inputs)
    found = inputs.features("train", torch.arange(len(digits.train)))
    expected = plain_features(network, digits, "train", 0, frozen=4).mean(dim=(2, 3), keepdim=True)
    assert found.shape[2:] == (1, 1)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_features_beyond_half_precision_stay_finite(inputs: CachedFeatures) -> None:
    maps = torch.full((2, 4, 2, 2), 1e6)
    maps[1] = -1e6
    inputs.put("train", torch.tensor([0, 5]), maps)
    found = inputs.features("train", torch.tensor([5, 0]))
    assert found.isfinite().all()
    assert (found[0] < -6e4).all()
    assert (found[1] > 6e4).all()


def test_the_order_of_filling_is_a_fair_sample_that_the_seed_decides(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    firsts = []
    for seed in (0, 0, 1):
        inputs = CachedFeatures(image_inputs(network, digits, precision, seed=seed), pooled=False)
        assert next(inputs.fill("train")) == SLICE
        firsts.append(inputs.reached("train"))
    same, again, other = firsts
    assert len(same) == len(set(same.tolist())) == SLICE
    assert torch.equal(same, again)
    assert not torch.equal(same, other)
    # All classes are equally represented.
    counts = digits.train.labels[same].bincount(minlength=NUM_CLASSES)
    shares = digits.train.labels.bincount() / len(digits.train)
    deviations = (SLICE * shares * (1 - shares)).sqrt()
    assert ((counts - SLICE * shares).abs() < 3 * deviations).all()


def test_a_split_is_filled_slice_by_slice_and_each_image_once(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    charged: list[int] = []
    inputs = CachedFeatures(
        image_inputs(network, digits, precision), pooled=False, charge=charged.append
    )
    count = len(digits.train)
    sizes = list(inputs.fill("train"))
    assert sizes == [SLICE] * (count // SLICE) + [count % SLICE]
    assert charged == sizes
    assert sorted(inputs.reached("train").tolist()) == list(range(count))
    assert len(inputs.reached("train", 1)) == 0
    assert list(inputs.fill("train")) == []
    assert list(inputs.fill("train", 1)) == sizes
    assert charged == 2 * sizes


def test_training_begins_on_what_is_there_and_completes_it(
    inputs: CachedFeatures, network: StagedNetwork, digits: ImageDataset
) -> None:
    next(inputs.fill("train"))
    first = set(inputs.reached("train").tolist())
    count = len(digits.train)
    expected = [plain_features(network, digits, "train", side) for side in (0, 1)]
    batches = inputs.train_batches(0)
    # As many batches as there are slices of both sides.
    for _ in range(2 * -(-count // SLICE)):
        features, labels = next(batches)
        assert features.shape[0] == len(labels) == 16
    assert len(inputs.reached("train")) == len(inputs.reached("train", 1)) == count
    seen: set[int] = set()
    sides: set[int] = set()
    for _ in range(2 * count // 16):
        features, labels = next(batches)
        for row, label in zip(features, labels, strict=True):
            distances = torch.stack([(e - row).flatten(1).norm(dim=1) for e in expected])
            side, image = divmod(int(distances.argmin()), count)
            assert distances.min() < 1e-2 * row.norm()
            assert digits.train.labels[image] == label
            seen.add(image)
            sides.add(side)
    # Training no longer uses only the first slice.
    assert len(first) == SLICE
    assert len(seen) > 0.95 * count
    assert sides == {0, 1}


def test_the_first_batches_are_of_the_images_that_were_reached(
    inputs: CachedFeatures, digits: ImageDataset
) -> None:
    indices = torch.tensor([3, 8, 21])
    values = torch.arange(3.0).view(3, 1, 1, 1)
    inputs.put("train", indices, values.expand(3, *shape_of_features(inputs)))
    features, labels = next(inputs.train_batches(0))
    assert set(features[:, 0, 0, 0].tolist()) == {0.0, 1.0, 2.0}
    by_value = features[:, 0, 0, 0].long()
    assert torch.equal(labels, digits.train.labels[indices[by_value]])


def shape_of_features(inputs: CachedFeatures) -> tuple[int, ...]:
    """Return the shape `(c, h, w)` of the features."""
    side = inputs.config.resolution
    placed = inputs._source.placed(torch.zeros(1, 3, side, side, dtype=torch.uint8))
    return tuple(inputs._prefix(placed).shape[1:])


def test_batches_are_a_function_of_seed_and_iteration(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    found = []
    for start in (0, 5):
        inputs = CachedFeatures(image_inputs(network, digits, precision), pooled=False)
        fill(inputs)
        fill(inputs, side=1)
        batches = inputs.train_batches(start)
        found.append([next(batches) for _ in range(8 - start)])
    for (features, labels), (same, same_labels) in zip(found[0][5:], found[1], strict=True):
        assert torch.equal(features, same)
        assert torch.equal(labels, same_labels)
    assert not torch.equal(found[0][5][0], found[0][6][0])


def test_mirror_images_are_those_of_images_that_are_there(inputs: CachedFeatures) -> None:
    assert list(inputs.fill("train", 1)) == []
    next(inputs.fill("train"))
    assert list(inputs.fill("train", 1)) == [SLICE]
    assert torch.equal(inputs.reached("train", 1), inputs.reached("train"))


def test_without_mirror_images_there_is_one_side(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    inputs = CachedFeatures(image_inputs(network, digits, precision, flip=False), pooled=False)
    fill(inputs)
    assert inputs.sides == 1
    expected = plain_features(network, digits, "train", 0)
    batches = inputs.train_batches(0)
    for _ in range(4):
        features, _labels = next(batches)
        for row in features:
            distances = (expected - row).flatten(1).norm(dim=1)
            assert distances.min() < 1e-2 * row.norm()


def test_what_takes_more_than_the_memory_lies_in_a_file_and_is_equal(
    network: StagedNetwork,
    digits: ImageDataset,
    precision: Precision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders: list[Path] = []

    class Noted(ScratchFolder):
        def __init__(self) -> None:
            super().__init__()
            folders.append(self.path)

    monkeypatch.setattr(cached_features, "ScratchFolder", Noted)
    everything = torch.arange(len(digits.train))
    found = []
    for settings in ({}, {"memory_bytes": 1000}):
        inputs = CachedFeatures(image_inputs(network, digits, precision), pooled=False, **settings)
        assert not folders
        fill(inputs)
        next(inputs.fill("train", 1))
        found.append([inputs.features("train", everything)])
        found[-1].append(inputs.features("train", inputs.reached("train", 1), 1))
        found[-1].append(next(inputs.train_batches(0))[0])
    (folder,) = folders
    assert sorted(path.name for path in folder.iterdir()) == ["test", "train", "val"]
    file = folder / "train"
    assert file.stat().st_size == 2 * len(everything) * found[0][0][0].numel() * 2  # bytes each
    for in_memory, in_file in zip(*found, strict=True):
        assert torch.equal(in_memory, in_file)
    del inputs
    gc.collect()
    assert not folder.exists()


def test_features_that_have_no_room_are_refused_before_they_are_computed(
    inputs: CachedFeatures, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Writing to a mapped file on a full disk would kill the process by SIGBUS."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limited = copy.copy(inputs)
    limited._memory_bytes, limited._splits = 1000, {}
    with largest_file(2000), pytest.raises(InvalidInput, match="set TMPDIR") as caught:
        next(limited.fill("train"))
    assert "\n" not in str(caught.value)
    del limited
    gc.collect()


def test_what_is_put_is_not_computed(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    charged: list[int] = []
    inputs = CachedFeatures(
        image_inputs(network, digits, precision, frozen=4), pooled=True, charge=charged.append
    )
    indices = torch.tensor([7, 2, 30])
    given = torch.rand(3, 32, 1, 1)
    inputs.put("train", indices, given)
    assert sorted(inputs.reached("train").tolist()) == [2, 7, 30]
    fill(inputs)
    assert sum(charged) == len(digits.train) - 3
    assert torch.equal(inputs.features("train", indices), given)
    others = torch.tensor([i for i in range(len(digits.train)) if i not in (2, 7, 30)])
    expected = plain_features(network, digits, "train", 0, frozen=4).mean(dim=(2, 3), keepdim=True)
    assert torch.allclose(inputs.features("train", others), expected[others], rtol=1e-4, atol=1e-5)


def test_batches_of_another_size_share_the_features(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    charged: list[int] = []
    inputs = CachedFeatures(
        image_inputs(network, digits, precision, flip=False), pooled=False, charge=charged.append
    )
    fill(inputs)
    other = inputs.with_batch_size(5)
    features, labels = next(other.train_batches(0))
    assert features.shape[0] == len(labels) == 5
    assert sum(charged) == len(digits.train)
    assert next(inputs.train_batches(0))[0].shape[0] == 16


def evaluated(inputs: CachedFeatures, network: StagedNetwork, split: str) -> Tensor:
    trainable = nn.Sequential(*network.parts[3:])
    rows = [logits for logits, _ in inputs.evaluate(trainable, split, inputs.count(split))]
    return torch.cat(rows)


@pytest.mark.parametrize("split", ["val", "test"])
def test_both_sides_are_averaged_where_validation_images_have_both(
    inputs: CachedFeatures, network: StagedNetwork, digits: ImageDataset, split: str
) -> None:
    network.eval()
    trainable = nn.Sequential(*network.parts[3:])
    order = evaluation_order(len(getattr(digits, split)), 0)
    with torch.no_grad():
        sides = [trainable(plain_features(network, digits, split, side))[order] for side in (0, 1)]
    tolerance: dict[str, Any] = {"rtol": 1e-2, "atol": 5e-3}
    assert not torch.allclose(sides[0], sides[1], **tolerance)
    fill(inputs, "val")
    found = evaluated(inputs, network, split)
    assert torch.allclose(found, sides[0], **tolerance)
    # Mirror images are not used if that of a single validation image is missing.
    some = torch.arange(1, len(digits.val))
    mirrored = inputs._prefix(inputs._source.placed(digits.val.images(some)).flip(3))
    inputs.put("val", some, mirrored, 1)
    assert torch.equal(evaluated(inputs, network, split), found)
    fill(inputs, "val", 1)
    found = evaluated(inputs, network, split)
    assert torch.allclose(found, (sides[0] + sides[1]) / 2, **tolerance)


def test_evaluation_computes_no_more_than_it_looks_at(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    charged: list[int] = []
    inputs = CachedFeatures(
        image_inputs(network, digits, precision, flip=False), pooled=False, charge=charged.append
    )
    trainable = nn.Sequential(*network.parts[3:])
    ((logits, labels),) = inputs.evaluate(trainable, "test", 10)
    order = evaluation_order(len(digits.test), 0)
    assert logits.shape == (10, NUM_CLASSES)
    assert torch.equal(labels, digits.test.labels[order[:10]])
    assert sum(charged) == 10
    evaluated(inputs, network, "test")
    assert sum(charged) == len(digits.test)
