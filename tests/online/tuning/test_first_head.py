"""The first checkpoint: which features are computed in the given time, and what is fitted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.online.tuning import first_head
from nasoa.online.tuning.first_head import FirstHead, HeadLimits
from nasoa.records import HEAD_ONLY
from nasoa.training.cached_features import SLICE, CachedFeatures
from nasoa.training.clock import StepClock
from nasoa.training.deadline import Deadline
from nasoa.training.inputs import ImageInputs, InputConfig, split_network
from nasoa.training.linear_head import LinearHead, fit_head, put_head, refit_head
from nasoa.training.precision import Precision
from nasoa.training.run import WorkCost

PLAIN = Precision(torch.device("cpu"), None, channels_last=False)
IMAGE_S = 0.01
WORK = WorkCost(step_s=0.1, eval_image_s=IMAGE_S, frozen_image_s=IMAGE_S, fit_image_s=1e-3)
CONFIG = FineTuneConfig()
MOST_VALIDATED = TrainingConfig.max_val_images


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("sklearn:digits:per_class=60", seed=0, resolution=32)


@pytest.fixture
def network() -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse("020- 8 1-2-1-2"), 10)


class Case:
    """A first head with its parts, and a step clock for its seconds per image.

    Args:
        network: pretrained network.
        data: images.
        limit_s: time limit of the fine-tune.
        frozen: number of frozen stages.
        cached: whether the training is on cached features.
        flip: whether mirror images belong to the same class.
        reserve_s: seconds reserved for the test.
    """

    def __init__(
        self,
        network: StagedNetwork,
        data: ImageDataset,
        limit_s: float = 1000.0,
        *,
        frozen: int = HEAD_ONLY,
        cached: bool = True,
        flip: bool = False,
        reserve_s: float = 0.0,
    ) -> None:
        self.clock = StepClock()
        config = InputConfig(
            resolution=32,
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            batch_size=16,
            flip=flip,
            min_scale=0.8,
            seed=0,
        )
        images = ImageInputs(data, split_network(network, frozen)[0], config, PLAIN)
        inputs = images
        if cached:
            inputs = CachedFeatures(
                images,
                pooled=frozen == HEAD_ONLY,
                charge=lambda count: self.clock.charge(count * IMAGE_S),
            )
        self.data = data
        self.head = FirstHead(
            network,
            frozen,
            inputs,
            limits=HeadLimits(
                deadline=Deadline(self.clock, limit_s),
                reserve_s=lambda _image_s, _images: reserve_s,
                may_mirror=lambda image_s: True,
                work=WORK,
            ),
            config=CONFIG,
        )
        self.cache: CachedFeatures = self.head._cache

    def reached(self, split: str, side: int = 0) -> int:
        return len(self.cache.reached(split, side))

    def labels(self, split: str) -> Tensor:
        return getattr(self.data, split).labels  # type: ignore[no-any-return]


def plain_features(network: StagedNetwork, data: ImageDataset, split: str, side: int = 0) -> Tensor:
    """Return `(n, d)` features, computed by the network's own modules."""
    part = getattr(data, split)
    images = (part.images(torch.arange(len(part))).float() / 255 - 0.5) / 0.25
    body = nn.Sequential(*copy.deepcopy(network).eval().parts[:-1])
    with torch.no_grad():
        return body(images.flip(3) if side else images).mean(dim=(2, 3))  # type: ignore[no-any-return]


KINDS = [
    (HEAD_ONLY, True, 1.0),
    (2, True, CONFIG.cache_time_fraction),
    (2, False, CONFIG.head_time_fraction),
]


@pytest.mark.parametrize(
    ("frozen", "cached", "share"), KINDS, ids=["head alone", "cached", "images"]
)
def test_features_are_computed_within_a_share_of_the_time(
    network: StagedNetwork, digits: ImageDataset, frozen: int, cached: bool, share: float
) -> None:
    num_val = len(digits.val)
    # Enough for validation images, half of the training images, and a part of the test.
    enough_s = (num_val + len(digits.train) // 2) * IMAGE_S
    case = Case(
        network, digits, 1.0 + enough_s / share, frozen=frozen, cached=cached, reserve_s=1.0
    )
    case.head.fill()
    assert enough_s - (SLICE + 1) * IMAGE_S <= case.clock.elapsed_s() <= enough_s + 1e-6
    assert case.reached("val") == num_val
    assert case.reached("train") == case.head.num_fitted
    assert case.clock.elapsed_s() == pytest.approx((num_val + case.reached("train")) * IMAGE_S)


@pytest.fixture(scope="module")
def many_validate() -> ImageDataset:
    """A data set with more validation images than a validation uses."""
    data = load_dataset("sklearn:digits", seed=0, resolution=32)
    assert len(data.train) > MOST_VALIDATED + SLICE
    return replace(data, val=data.train, train=data.val)


@pytest.mark.parametrize("kind", KINDS, ids=["head alone", "cached", "images"])
@pytest.mark.parametrize("val", ["few", "many"])
def test_with_next_to_no_time_some_images_of_both_splits_are_there(
    network: StagedNetwork,
    digits: ImageDataset,
    many_validate: ImageDataset,
    val: str,
    kind: tuple[int, bool, float],
) -> None:
    frozen, cached, _share = kind
    data = digits if val == "few" else many_validate
    case = Case(network, data, 0.1, frozen=frozen, cached=cached)
    case.head.fill()
    assert case.reached("val") > 0
    assert 0 < case.head.num_fitted <= SLICE
    head = case.head.fit(case.labels)
    assert head.weight.isfinite().all()
    assert head.bias.isfinite().all()


def test_no_more_validation_images_are_computed_than_a_validation_looks_at(
    network: StagedNetwork, many_validate: ImageDataset
) -> None:
    case = Case(network, many_validate, frozen=2, cached=False)
    case.head.fill()
    assert MOST_VALIDATED <= case.reached("val") < MOST_VALIDATED + SLICE
    assert case.reached("train") == len(many_validate.train)


def test_mirror_images_come_last_and_all_or_none(
    network: StagedNetwork, digits: ImageDataset
) -> None:
    originals_s = (len(digits.train) + len(digits.val)) * IMAGE_S
    for limit_s, both in ((1.2 * originals_s, False), (4 * originals_s, True)):
        case = Case(network, digits, limit_s, flip=True)
        case.head.fill()
        assert case.reached("train") == len(digits.train)
        assert case.reached("val") == len(digits.val)
        expected = (len(digits.train), len(digits.val)) if both else (0, 0)
        assert (case.reached("train", 1), case.reached("val", 1)) == expected
        assert case.clock.elapsed_s() == pytest.approx((1 + both) * originals_s)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("frozen", "cached"), [(4, True), (2, True), (2, False), (-1, False)])
def test_the_head_is_fitted_to_what_the_heads_layer_gets(
    network: StagedNetwork, digits: ImageDataset, frozen: int, cached: bool, flip: bool
) -> None:
    case = Case(network, digits, frozen=frozen, cached=cached, flip=flip)
    case.head.fill()
    head = case.head.fit(case.labels)
    rows = {}
    for split in ("train", "val"):
        sides = [plain_features(network, digits, split, side) for side in range(1 + flip)]
        order = case.cache.reached(split)
        rows[split] = (torch.stack(sides).mean(dim=0)[order], case.labels(split)[order])
    expected = fit_head(*rows["train"], 10, validation=rows["val"])
    assert head.strength == expected.strength
    found = rows["val"][0] @ head.weight.T + head.bias
    wanted = rows["val"][0] @ expected.weight.T + expected.bias
    assert torch.allclose(found.softmax(1), wanted.softmax(1), atol=2e-2)


def test_a_part_of_the_mirror_images_does_not_count(
    network: StagedNetwork, digits: ImageDataset
) -> None:
    plain, mixed = Case(network, digits), Case(network, digits, 6.0, flip=True)
    for case in (plain, mixed):
        case.head.fill()
    assert mixed.reached("train", 1) == 0
    next(mixed.cache.fill("train", 1))
    assert mixed.reached("train", 1) == SLICE
    assert torch.equal(plain.head.fit(plain.labels).weight, mixed.head.fit(mixed.labels).weight)


def test_a_head_is_fitted_anew_to_validation_images_too(
    network: StagedNetwork, digits: ImageDataset
) -> None:
    case = Case(network, digits)
    case.head.fill()
    head = case.head.fit(case.labels)
    put_head(network, head)
    assert torch.equal(network.head.fc.weight, head.weight)
    assert torch.equal(network.head.fc.bias, head.bias)
    put_head(network, case.head.fit_to_all(head))
    features = torch.cat([plain_features(network, digits, split) for split in ("train", "val")])
    labels = torch.cat([case.labels(split) for split in ("train", "val")])
    expected = refit_head(head, features, labels)
    with torch.no_grad():
        found = network.head.fc(features).softmax(1)
    wanted = (features @ expected.weight.T + expected.bias).softmax(1)
    assert torch.allclose(found, wanted, atol=1e-2)
    assert not torch.equal(network.head.fc.weight, head.weight)


def test_fitting_is_charged_by_the_images(network: StagedNetwork, digits: ImageDataset) -> None:
    case = Case(network, digits)
    case.head.fill()
    before_s = case.clock.elapsed_s()
    case.head.fit(case.labels)
    expected_s = WORK.fit_image_s * len(digits.train)
    assert case.clock.elapsed_s() - before_s == pytest.approx(expected_s)


def test_a_last_fit_is_told_without_features_and_without_the_search(
    network: StagedNetwork, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds of features and of fits that choose the penalty are reserved for no later fit."""
    case = Case(network, digits, frozen=1)
    case.head.fill()
    pooled, fit = case.head._pooled, first_head.fit_head

    def slow_features(*arguments: Any) -> tuple[Tensor, Tensor]:
        case.clock.charge(100.0)
        return pooled(*arguments)

    def slow_search(*arguments: Any, may_go_on: Callable[[], bool], **others: Any) -> LinearHead:
        case.clock.charge(10.0)
        assert may_go_on()
        return fit(*arguments, may_go_on=may_go_on, **others)

    monkeypatch.setattr(case.head, "_pooled", slow_features)
    monkeypatch.setattr(first_head, "fit_head", slow_search)
    case.head.fit(case.labels)
    assert case.head.last_fit_s == pytest.approx(WORK.fit_image_s * len(digits.train))
