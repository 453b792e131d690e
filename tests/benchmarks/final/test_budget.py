"""Limits in log scale, and the defaults that they are measured by."""

from __future__ import annotations

import pytest

from benchmarks.final.budget import NAMES, ends_s, limit_s, smallest_and_largest
from benchmarks.final.defaults import default_regime, training_limit_s
from benchmarks.final.subject import Subject
from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.records import BN_TRAINED
from nasoa.zoo.entries import packaged_zoo

MODELS = ("ET-NAS-A", "ET-NAS-C", "efficientnet-lite0")


def test_limits_have_equal_ratios(subject: Subject) -> None:
    times = subject.times(MODELS)
    t0, t1, t2, t3 = (limit_s(name, times, (100, 500)) for name in NAMES)
    assert t1 / t0 == pytest.approx(t2 / t1, rel=0.02)
    assert t3 / t2 == pytest.approx(t2 / t1, rel=0.02)
    assert (t0, t3) == pytest.approx(ends_s(times, (100, 500)), abs=0.06)


def test_ends_are_of_the_smallest_and_the_largest(subject: Subject) -> None:
    times = subject.times(MODELS)
    assert smallest_and_largest(times) == ("ET-NAS-A", "efficientnet-lite0")
    shortest_s, longest_s = ends_s(times, (10, 50))
    assert shortest_s == training_limit_s(times, "ET-NAS-A", 10)
    assert longest_s == training_limit_s(times, "efficientnet-lite0", 50)


def test_in_the_shortest_limit_the_smallest_makes_its_epochs(subject: Subject) -> None:
    """Epochs of 69 training images, in batches of 64."""
    shortest_s, _ = ends_s(subject.times(MODELS), (40, 50))
    regime = default_regime(subject, "ET-NAS-A", shortest_s)
    num_train = subject.times(MODELS).size.num_train
    assert regime.iterations == pytest.approx(40 * num_train / 64, abs=1)


def test_a_duration_is_itself(subject: Subject) -> None:
    assert limit_s("1m30s", subject.times(MODELS)) == 90.0
    with pytest.raises(TimeLimitError, match="like 45s"):
        limit_s("t4", subject.times(MODELS))


def test_limits_that_fall_are_refused(subject: Subject) -> None:
    with pytest.raises(InvalidInput, match="give --epochs more of the second"):
        limit_s("t1", subject.times(["ET-NAS-A"]), (50, 10))


def test_defaults(subject: Subject) -> None:
    regime = default_regime(subject, "ET-NAS-A", 60.0)
    assert (regime.lr, regime.frozen_stages, regime.batch_size) == (0.01, -1, 64)
    assert (regime.lr_schedule, regime.bn, regime.fitted_head) == ("cosine", BN_TRAINED, False)
    assert regime.resolution == packaged_zoo().entry("ET-NAS-A").resolution


def test_a_short_limit_makes_images_smaller(subject: Subject) -> None:
    """Digits of 8 px are enlarged to 64 px at most; the model's own size is 224 px."""
    assert default_regime(subject, "efficientnet-lite0", 300.0).resolution == 64
    sizes = [default_regime(subject, "ET-NAS-A", limit_s).resolution for limit_s in (1.2, 60.0)]
    assert sizes == [32, 64]
    with pytest.raises(TimeLimitError, match="at least"):
        default_regime(subject, "efficientnet-lite0", 1.0)
