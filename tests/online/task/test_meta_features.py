"""Meta-features of a task, and the sample they are computed on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.task.domain_similarity import domain_similarity
from nasoa.online.task.meta_features import meta_features, sample_indices, sample_size


def test_counts_are_those_of_all_images() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 60])
    rng = np.random.default_rng(0)
    means = rng.normal(size=(3, 5))
    sampled = np.repeat([0, 1, 2], 4)
    found = meta_features(
        labels,
        3,
        means[sampled],
        sampled,
        source_means=means,
        source_weights=[10, 20, 60],
        image_resolution=48,
    )
    assert found.num_classes == 3
    assert found.image_resolution == 48
    assert found.num_images == 90
    assert found.mean_images_per_class == pytest.approx(30)
    assert found.std_images_per_class == pytest.approx(np.std([10, 20, 60]))
    # Weights are fractions of all images, not of the balanced sample.
    assert found.domain_similarity == pytest.approx(1.0, abs=1e-9)
    # All images of a class are equal, so those left out are classified correctly.
    assert found.landmark_accuracy == 1.0


def test_classes_without_images() -> None:
    features = np.ones((4, 2))
    found = meta_features(
        [0, 0, 2, 2],
        4,
        features,
        [0, 0, 2, 2],
        source_means=[[1.0, 2.0]],
        source_weights=[1],
        image_resolution=64,
    )
    assert found.mean_images_per_class == 1.0
    assert found.std_images_per_class == pytest.approx(1.0)
    assert found.domain_similarity == pytest.approx(
        domain_similarity([[1.0, 1.0]], [1], [[1.0, 2.0]], [1])
    )


def test_label_out_of_range() -> None:
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        meta_features(
            [0, 2],
            2,
            [[0.0]],
            [0],
            source_means=[[0.0]],
            source_weights=[1],
            image_resolution=64,
        )


@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=120),
    per_class=st.integers(1, 15),
    max_images=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
def test_sample_is_bounded_even_and_seeded(
    labels: list[int], per_class: int, max_images: int, seed: int
) -> None:
    found = sample_indices(labels, per_class, max_images, np.random.default_rng(seed))
    again = sample_indices(labels, per_class, max_images, np.random.default_rng(seed))
    np.testing.assert_array_equal(found, again)
    assert len(set(found.tolist())) == len(found)
    assert (np.diff(found) > 0).all()
    available = np.minimum(np.bincount(labels, minlength=7), per_class)
    assert len(found) == min(max_images, available.sum())
    taken = np.bincount(np.asarray(labels)[found], minlength=7)
    assert (taken <= available).all()
    short = taken < available
    if short.any():
        assert taken.max() - taken[short].min() <= 1


@given(
    groups=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    classes=st.integers(1, 3),
    seed=st.integers(0, 100),
)
def test_a_group_gives_one_image_unless_a_class_has_no_other(
    groups: list[int], classes: int, seed: int
) -> None:
    labels = np.arange(len(groups)) % classes
    numbers = np.array(groups)
    found = sample_indices(labels, 20, 100, np.random.default_rng(seed), groups)
    for label in range(classes):
        own, all_of_class = found[labels[found] == label], numbers[labels == label]
        if len(set(all_of_class)) == 1:
            assert len(own) == min(20, len(all_of_class))
        else:
            assert sorted(numbers[own]) == sorted(set(all_of_class))


def test_fewer_images_than_classes_favours_no_class() -> None:
    labels = np.repeat(np.arange(100), 3)
    rng = np.random.default_rng(0)
    drawn = np.concatenate([labels[sample_indices(labels, 3, 20, rng)] for _ in range(200)])
    assert abs(drawn.mean() - 49.5) < 3


def test_other_seeds_draw_other_images() -> None:
    labels = np.zeros(1000, dtype=int)
    first, second = (sample_indices(labels, 20, 20, np.random.default_rng(s)) for s in (0, 1))
    assert set(first.tolist()) != set(second.tolist())


@pytest.mark.parametrize(
    ("labels", "per_class", "max_images"),
    [([0], 0, 1), ([0], 1, 0), ([-1, 0], 1, 1), ([], 1, 1), ([0.5], 1, 1)],
)
def test_wrong_input(labels: list[int], per_class: int, max_images: int) -> None:
    with pytest.raises(InvalidInput):
        sample_indices(labels, per_class, max_images, np.random.default_rng(0))


def test_many_classes_get_a_larger_sample() -> None:
    assert sample_size([2, 500, 600, 50_000]).tolist() == [1000, 1000, 1200, 4000]
