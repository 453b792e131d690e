"""However short the time, a fine-tune ends with a model as good as the majority class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.data import ImageDataset, load_dataset
from nasoa.data.dataset import MemorySplit
from nasoa.online.tuning import first_head
from nasoa.online.tuning.finetune import FEWEST_TESTED, FineTuned, finetune
from nasoa.online.tuning.job import Job
from nasoa.records import FITTED, HEAD_ONLY, Regime
from nasoa.training.cached_features import SLICE
from nasoa.training.clock import StepClock
from nasoa.training.deadline import Deadline, EndsInTime
from nasoa.training.linear_head import LinearHead
from nasoa.training.precision import Precision
from nasoa.training.run import WorkCost
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe

ENCODING = "020- 8 1-2-1-2"
PLAIN = Precision(torch.device("cpu"), None, channels_last=False)
WORK = WorkCost(step_s=0.1, eval_image_s=0.01, frozen_image_s=0.01, fit_image_s=1e-4)
FULL = Regime(
    model="tiny",
    lr=0.05,
    frozen_stages=-1,
    iterations=10_000,
    batch_size=16,
    resolution=32,
    lr_schedule="cosine",
    fills_limit=True,
)
HEAD = replace(FULL, lr=1.0, frozen_stages=HEAD_ONLY, lr_schedule=FITTED, cached_features=True)
CACHED = replace(FULL, frozen_stages=2, cached_features=True)
REGIMES = [HEAD, CACHED, FULL]
NAMES = ["head", "cached", "full"]


def unbalanced(data: ImageDataset) -> ImageDataset:
    """Class 3 has most of the images."""

    def taken(split: Any) -> MemorySplit:
        labels = split.labels
        kept = torch.nonzero((labels == 3) | (torch.arange(len(labels)) % 4 == 0))[:, 0]
        images = split.images(kept)
        return MemorySplit(images, torch.arange(len(kept)), labels[kept])

    return replace(data, train=taken(data.train), val=taken(data.val), test=taken(data.test))


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return unbalanced(load_dataset("sklearn:digits:per_class=60", seed=0, resolution=32))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks are tiny; threads would wait for each other where others compute too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Unused(nn.Module):
    """A part that must not be computed."""

    def forward(self, images: Tensor) -> Tensor:
        raise AssertionError("there was no time for this")


def network() -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse(ENCODING), 10)


ENTRY = describe(
    network(),
    Pretraining(
        name="tiny",
        resolution=32,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        source="x",
        accuracy=0.5,
    ),
    family="ET-NAS",
    encoding=ENCODING,
)


def tune(
    data: ImageDataset, regime: Regime, limit_s: float, own: StagedNetwork | None = None
) -> tuple[FineTuned, float]:
    """The result and the seconds on the clock."""
    clock = StepClock()
    tuned = finetune(job(data, regime, own or network()), Deadline(clock, limit_s), WORK)
    return tuned, clock.elapsed_s()


def job(data: ImageDataset, regime: Regime, own: StagedNetwork) -> Job:
    return Job(
        network=own,
        data=data,
        regime=regime,
        entry=ENTRY,
        mirror_safe=False,
        precision=PLAIN,
        seed=0,
    )


def majority(data: ImageDataset) -> float:
    return float(np.mean(data.test.labels.numpy() == 3))


@pytest.mark.parametrize("regime", REGIMES, ids=NAMES)
def test_without_any_time_the_majority_class_is_answered(
    digits: ImageDataset, regime: Regime
) -> None:
    """Not one image goes through the network."""
    own = network()
    own.stem = Unused()  # type: ignore[assignment]
    tuned, elapsed_s = tune(digits, regime, 0.01, own)
    assert elapsed_s == 0.0
    assert tuned.accuracy == pytest.approx(majority(digits))
    assert np.sum(tuned.confusion) == len(digits.test)
    assert tuned.training.val_accuracy == pytest.approx(
        float((digits.val.labels == 3).float().mean())
    )
    assert tuned.training.ended == "deadline"
    assert own.head.fc(torch.randn(5, own.head.fc.in_features)).argmax(dim=1).tolist() == [3] * 5


@pytest.mark.slow
@settings(deadline=None, max_examples=12)
@given(limit_s=st.floats(0.3, 12.0), place=st.integers(0, 2))
def test_any_limit_is_kept_with_a_model(digits: ImageDataset, limit_s: float, place: int) -> None:
    """The features of all images alone take 3.5 s."""
    tuned, elapsed_s = tune(digits, REGIMES[place], limit_s)
    tested = int(np.sum(tuned.confusion))
    assert tested >= min(FEWEST_TESTED, len(digits.test))
    # A batch of features at a time, and the fewest images that are tested.
    slack_s = 64 * WORK.eval_image_s + FEWEST_TESTED * WORK.eval_image_s
    assert elapsed_s <= limit_s + slack_s
    asked = np.array(tuned.confusion)
    answered_by_majority = asked.sum(axis=1)[3] / tested
    assert tuned.accuracy >= answered_by_majority - 2 / np.sqrt(tested)


class SlowFeatures(StepClock):
    """A machine on which features take five times as long as planned, and fits as long."""

    def charge(self, seconds: float) -> None:
        is_fit = seconds > SLICE * SLOW_WORK.frozen_image_s
        super().charge(seconds if is_fit else 5 * seconds)


SLOW_WORK = replace(WORK, eval_image_s=0.0, frozen_image_s=0.002, fit_image_s=0.01)


def test_slow_features_are_no_reason_to_expect_a_slow_fit(digits: ImageDataset) -> None:
    num_train = len(digits.train)
    features_s = 5 * SLOW_WORK.frozen_image_s * (num_train + len(digits.val) + len(digits.test))
    fit_s = SLOW_WORK.fit_image_s * num_train
    deadline = Deadline(SlowFeatures(), 1.5 * features_s + 3 * fit_s)
    tuned = finetune(job(digits, HEAD, network()), deadline, SLOW_WORK)
    assert tuned.training.iterations == -(-num_train // HEAD.batch_size)


def test_a_head_that_is_worse_than_the_majority_class_is_not_used(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = torch.bincount(digits.val.labels, minlength=10).argmin()

    def wrong(features: Tensor, labels: Tensor, num_classes: int, **_: object) -> LinearHead:
        weight = torch.randn(num_classes, features.shape[1]) * 1e-6
        bias = torch.zeros(num_classes)
        bias[rare] = 1.0
        return LinearHead(weight, bias, 0.1, 5, 1.0)

    monkeypatch.setattr(first_head, "fit_head", wrong)
    for regime in (HEAD, CACHED):
        tuned, _elapsed_s = tune(digits, replace(regime, iterations=1, fills_limit=False), 1000.0)
        assert tuned.heads is not None
        assert tuned.heads.chosen.is_constant
        assert tuned.accuracy >= majority(digits)


def test_another_piece_of_work_is_begun_if_the_longest_so_far_would_end_in_time() -> None:
    clock = StepClock()
    may_go_on = EndsInTime(clock, 10.0)
    clock.charge(2.0)
    assert may_go_on()
    clock.charge(5.0)
    assert not may_go_on()  # 7 s are spent, and the longest took 5 s
    assert EndsInTime(clock, 7.1)()
    assert not EndsInTime(clock, 7.0)()
