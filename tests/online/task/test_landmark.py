"""The landmark: leave-one-out accuracy of a ridge classifier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from nasoa.errors import InvalidInput
from nasoa.online.task.landmark import PENALTIES, landmark_accuracy


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), num_classes=st.integers(2, 4), far=st.sampled_from([0.0, 0.7, 3.0])
)
def test_equals_leaving_out_one_after_another(seed: int, num_classes: int, far: float) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(18) % num_classes
    features = rng.normal(size=(18, 5)) + far * rng.normal(size=(num_classes, 5))[labels]
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    mean_square = np.linalg.svd(standardised, compute_uv=False) ** 2
    targets = np.eye(num_classes)[labels]
    accuracies = []
    for penalty in PENALTIES:
        right = 0
        for i in range(18):
            kept = np.arange(18) != i
            ridge = Ridge(alpha=penalty * mean_square.mean())
            ridge.fit(standardised[kept], targets[kept])
            right += int(ridge.predict(standardised[i : i + 1]).argmax() == labels[i])
        accuracies.append(right / 18)
    assert landmark_accuracy(features, labels) == pytest.approx(max(accuracies))


def test_classes_far_apart_and_no_classes_at_all() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    noise = rng.normal(size=(200, 20))
    chance = landmark_accuracy(noise, labels)
    known = landmark_accuracy(noise + 5 * np.eye(20)[labels], labels)
    assert known is not None
    assert known > 0.98
    assert chance is not None
    assert chance < 0.4


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 1], [0, 0, 0]])
def test_nothing_to_learn_from(labels: list[int]) -> None:
    assert landmark_accuracy(np.eye(3), labels) is None


def test_constant_features() -> None:
    found = landmark_accuracy(np.ones((6, 3)), [0, 0, 0, 1, 1, 1])
    assert found is not None
    assert 0.0 <= found <= 1.0


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match=r"shapes \(3,\)"):
        landmark_accuracy([1.0, 2.0, 3.0], [0, 0, 1])
