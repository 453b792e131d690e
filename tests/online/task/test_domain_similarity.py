"""Earth mover's distance between class means."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.task.domain_similarity import MAX_CLASSES, class_means, domain_similarity

Domain = tuple[np.ndarray, np.ndarray]


@st.composite
def domains(draw: st.DrawFn) -> Domain:
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    count = draw(st.integers(1, 12))
    return rng.normal(scale=5.0, size=(count, 4)), rng.uniform(0.05, 1.0, count)


@settings(deadline=None, max_examples=60)
@given(a=domains(), b=domains())
def test_symmetric_and_in_range(a: Domain, b: Domain) -> None:
    there = domain_similarity(*a, *b)
    assert there == pytest.approx(domain_similarity(*b, *a), rel=1e-9)
    assert 0 < there <= 1


@settings(deadline=None, max_examples=40)
@given(a=domains(), order=st.randoms())
def test_one_for_equal_domains_in_any_order_and_scale_of_weights(a: Domain, order: object) -> None:
    means, weights = a
    shuffled = list(range(len(means)))
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    similarity = domain_similarity(means, weights, means[shuffled], 7 * weights[shuffled])
    assert similarity == pytest.approx(1.0, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(a=domains(), b=domains(), c=domains())
def test_distances_obey_the_triangle(a: Domain, b: Domain, c: Domain) -> None:
    ab, bc, ac = (-100 * math.log(domain_similarity(*p, *q)) for p, q in ((a, b), (b, c), (a, c)))
    assert ac <= ab + bc + 1e-6


def test_by_hand() -> None:
    # Half of the mass stays, half moves by 5: d = 2.5.
    source = np.array([[0.0, 0.0], [3.0, 4.0]])
    similarity = domain_similarity([[0.0, 0.0]], [1.0], source, [10, 10])
    assert similarity == pytest.approx(math.exp(-0.01 * 2.5), rel=1e-12)


def test_a_shift_of_everything_costs_its_length() -> None:
    means = np.random.default_rng(0).normal(size=(30, 6))
    similarity = domain_similarity(means, np.ones(30), means + 2.0, np.ones(30))
    assert -100 * math.log(similarity) == pytest.approx(2 * math.sqrt(6), rel=1e-9)


def test_many_classes_take_bounded_time() -> None:
    rng = np.random.default_rng(0)
    task = rng.normal(size=(2000, 64))
    weights = np.concatenate([np.ones(1500), np.full(500, 50.0)])
    started = time.perf_counter()
    similarity = domain_similarity(task, weights, rng.normal(size=(200, 64)), np.ones(200))
    assert time.perf_counter() - started < 20
    assert MAX_CLASSES == 500
    heaviest = domain_similarity(task[1500:], weights[1500:], task, weights)
    assert heaviest == pytest.approx(1.0, abs=1e-9)
    assert 0 < similarity < 1


def test_class_means_of_classes_that_have_images() -> None:
    features = np.array([[0.0, 2.0], [2.0, 4.0], [10.0, 0.0], [1.0, 1.0]])
    means, shares = class_means(features, [3, 3, 0, 3], num_classes=5)
    np.testing.assert_allclose(means, [[10.0, 0.0], [1.0, 7 / 3]])
    np.testing.assert_allclose(shares, [0.25, 0.75])


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.zeros(4), [0, 1], r"shape \(n, d\) but it had shape \(4,\)"),
        (np.zeros((2, 3)), [0, 1, 1], r"labels .*shape \(2,\) but it had shape \(3,\)"),
        (np.zeros((2, 3)), [0, 5], "from 0 to 4 but they go from 0 to 5"),
        (np.zeros((2, 3)), [-1, 0], "go from -1"),
        (np.zeros((2, 3)), [0.0, 1.0], "integers"),
        (np.zeros((0, 3)), np.zeros(0, int), "at least 1"),
    ],
)
def test_wrong_features(features: np.ndarray, labels: list[int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        class_means(features, labels, 5)


@pytest.mark.parametrize(
    ("source_means", "source_weights", "message"),
    [
        (np.zeros((2, 4)), np.ones(2), r"shape \(m, 3\) but it had shape \(2, 4\)"),
        (np.zeros((2, 3)), np.ones(3), "source_weights"),
        (np.zeros((2, 3)), np.zeros(2), "not all 0"),
        (np.zeros((2, 3)), np.array([1.0, -1.0]), "at least 0"),
        (np.full((2, 3), np.nan), np.ones(2), "finite"),
    ],
)
def test_wrong_domains(source_means: np.ndarray, source_weights: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        domain_similarity(np.zeros((2, 3)), np.ones(2), source_means, source_weights)
