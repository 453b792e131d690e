"""The fitted head, compared with scikit-learn's logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import Tensor

from nasoa.training import linear_head
from nasoa.training.linear_head import (
    FIRST_STRENGTH,
    STRENGTHS,
    LinearHead,
    fit_head,
    is_clearly_better,
    majority_head,
    refit_head,
)


def clouds(count: int, width: int, num_classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return features of overlapping classes, with channels of different scales far from zero."""
    centres = torch.randn(num_classes, width, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (count,), generator=generator)
    noise = 2.0 * torch.randn(count, width, generator=generator)
    features = 0.5 * centres[labels] + noise
    return features * torch.logspace(-1, 1, width) + 3, labels


def reference(
    train: tuple[Tensor, Tensor], strength: float, asked: Tensor
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Probabilities by scikit-learn's optimum on standardised features."""
    features, labels = train[0].double(), train[1].numpy()
    mean, std = features.mean(0), features.std(0, correction=0)
    known = LogisticRegression(C=strength, max_iter=10_000, tol=1e-8)
    known.fit(((features - mean) / std).numpy(), labels)
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = known.predict_proba(
        ((asked.double() - mean) / std).numpy()
    )
    return found


def probabilities(head: LinearHead, features: Tensor) -> np.ndarray[tuple[int, int], np.dtype]:
    logits = features.double() @ head.weight.double().T + head.bias.double()
    return logits.softmax(dim=1).numpy()


@pytest.mark.parametrize(("count", "width"), [(400, 12), (30, 100)])
@pytest.mark.parametrize("strength", [STRENGTHS[0], 0.03, STRENGTHS[-1]])
def test_it_is_the_optimum_that_scikit_learn_finds(count: int, width: int, strength: float) -> None:
    train, asked = clouds(count, width, 3), clouds(200, width, 3, seed=1)
    head = fit_head(*train, 3, validation=asked, strengths=(strength,))
    assert head.strength == strength
    for features in (train[0], asked[0]):
        expected = reference(train, strength, features)
        assert np.abs(probabilities(head, features) - expected).max() < 5e-3
    assert head.val_loss == pytest.approx(
        log_loss(asked[1].numpy(), reference(train, strength, asked[0])), abs=5e-3
    )


@pytest.mark.parametrize(
    ("count", "width"), [(60, 10), (40, 150), (600, 20)], ids=["few", "wide", "many"]
)
def test_the_strength_is_the_best_in_validation(count: int, width: int) -> None:
    train, asked = clouds(count, width, 3), clouds(500, width, 3, seed=1)
    losses = {
        strength: log_loss(asked[1].numpy(), reference(train, strength, asked[0]))
        for strength in STRENGTHS
    }
    best = min(losses, key=losses.__getitem__)
    head = fit_head(*train, 3, validation=asked)
    assert head.strength == best
    assert head.val_loss == pytest.approx(losses[best], abs=5e-3)


def test_more_images_than_choose_the_strength_are_fitted_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear_head, "SEARCHED", 100)
    train, asked = clouds(400, 12, 3), clouds(200, 12, 3, seed=1)
    head = fit_head(*train, 3, validation=asked)
    first = (train[0][:100], train[1][:100])
    losses = [
        log_loss(asked[1].numpy(), reference(first, strength, asked[0])) for strength in STRENGTHS
    ]
    assert head.strength == STRENGTHS[int(np.argmin(losses))]
    expected = reference(train, head.strength, asked[0])
    # The search also standardises by all images, which hardly matters here.
    assert np.abs(probabilities(head, asked[0]) - expected).max() < 5e-3


def test_time_that_is_up_ends_the_search_at_the_first_strength() -> None:
    train, asked = clouds(300, 12, 3), clouds(200, 12, 3, seed=1)
    assert fit_head(*train, 3, validation=asked).strength != FIRST_STRENGTH
    hurried = fit_head(*train, 3, validation=asked, may_go_on=lambda: False)
    alone = fit_head(*train, 3, validation=asked, strengths=(FIRST_STRENGTH,))
    assert hurried.strength == FIRST_STRENGTH
    assert torch.equal(hurried.weight, alone.weight)


def test_without_validation_the_first_penalty_is_taken() -> None:
    features, labels = clouds(50, 5, 3)
    head = fit_head(features, labels, 3, validation=(features[:0], labels[:0]))
    assert head.strength == FIRST_STRENGTH
    assert head.val_loss == float("inf")


@pytest.mark.parametrize(("count", "width"), [(300, 12), (60, 200)])
def test_a_refit_changes_little_and_is_the_optimum_of_what_it_is_given(
    count: int, width: int
) -> None:
    train, asked = clouds(count, width, 3), clouds(30, width, 3, seed=1)
    head = fit_head(*train, 3, validation=asked)
    again = refit_head(head, *train)
    assert again.strength == head.strength
    assert again.iterations <= 3
    assert np.abs(probabilities(again, asked[0]) - probabilities(head, asked[0])).max() < 5e-3
    everything = (torch.cat([train[0], asked[0]]), torch.cat([train[1], asked[1]]))
    more = refit_head(head, *everything)
    expected = reference(everything, head.strength, train[0])
    assert np.abs(probabilities(more, train[0]) - expected).max() < 5e-3


@pytest.mark.parametrize("value", [0.0, 1.7, 300.1])
def test_a_channel_that_is_constant_in_training_has_no_say_elsewhere(value: float) -> None:
    train, asked = clouds(200, 6, 3), clouds(100, 6, 3, seed=1)
    dead = (torch.cat([train[0], torch.full((200, 1), value)], dim=1), train[1])
    alive = torch.cat([asked[0], torch.full((100, 1), value + 1)], dim=1)
    head = fit_head(*dead, 3, validation=(alive, asked[1]), strengths=(0.1,))
    expected = fit_head(*train, 3, validation=asked, strengths=(0.1,))
    difference = probabilities(head, alive) - probabilities(expected, asked[0])
    assert np.abs(difference).max() < 1e-3


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(2, 12).flatmap(
        lambda count: arrays(
            np.float32,
            (count, 4),
            elements=st.floats(-1e4, 1e4, width=32) | st.sampled_from([0.0, 1.0, -300.0]),
        )
    ),
    constant=st.none() | st.sampled_from([0.0, 1e-3, 0.1, 1e4]),
    seed=st.integers(0, 1000),
)
def test_weights_are_finite_whatever_the_features(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], constant: float | None, seed: int
) -> None:
    """The features include equal rows, a constant channel and a class without images."""
    features = torch.from_numpy(rows)
    if constant is not None:
        features[:, 1] = constant
    # The last of the five classes has no images.
    labels = torch.randint(4, (len(rows),), generator=torch.Generator().manual_seed(seed))
    head = fit_head(features, labels, 5, validation=(features, labels))
    assert head.weight.shape == (5, 4)
    for found in (head, refit_head(head, features, labels)):
        assert found.weight.isfinite().all()
        assert found.bias.isfinite().all()
    assert np.isfinite(head.val_loss)


def test_a_fit_ends_when_the_time_is_up() -> None:
    """The weights found so far are used."""
    train, asked = clouds(300, 12, 3), clouds(200, 12, 3, seed=1)
    asked_for: list[bool] = []

    def twice() -> bool:
        asked_for.append(len(asked_for) < 1)
        return asked_for[-1]

    ended = fit_head(*train, 3, validation=asked, strengths=(0.3,), may_iterate=twice)
    assert asked_for == [True, False]
    assert ended.iterations == 2
    assert fit_head(*train, 3, validation=asked, strengths=(0.3,)).iterations > 2
    again = refit_head(ended, *train, may_iterate=lambda: False)
    assert again.iterations == 1


def test_the_majority_head_answers_with_the_most_frequent_class() -> None:
    labels = torch.tensor([2, 0, 2, 2, 1, 0])
    head = majority_head(labels, 4, 5)
    assert head.is_constant
    answers = torch.randn(7, 5) @ head.weight.T + head.bias
    assert answers.argmax(dim=1).tolist() == [2] * 7
    assert answers[0].exp().sum() == pytest.approx(1.0)
    assert not fit_head(*clouds(300, 12, 3), 3, validation=clouds(9, 12, 3)).is_constant


@pytest.mark.parametrize(("more", "is_better"), [(0, False), (1, False), (2, True), (-3, False)])
def test_one_image_more_is_not_clearly_better(more: int, is_better: bool) -> None:
    """One of 20 images that only one of two heads classifies right may be chance."""
    labels = torch.zeros(20, dtype=torch.int64)
    features = torch.zeros(20, 1)
    features[: abs(more)] = 1.0
    constant = majority_head(labels, 2, 1)
    # Answers class 1 for images with the feature, so that it is wrong there.
    weight = torch.tensor([[0.0], [20.0]])
    other = LinearHead(weight, constant.bias, 0.1, 5, 1.0)
    heads = (constant, other) if more >= 0 else (other, constant)
    assert is_clearly_better(*heads, features, labels) == is_better
