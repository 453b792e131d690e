"""Combine the predictions of experts, with weights that depend on their losses.

Each of three rules with complementary strengths combines the experts, and a fourth combines the
three:

- Bernstein online aggregation (Wintenberger 2017): small regret to the best mixture of experts,
  without a learning rate to tune.
- Exponential weights of discounted squared losses (Herbster and Warmuth 1998 share weights for the
  same purpose): forgets, so it follows the best expert when that changes.
- Recursive least squares of the weights around their prior: uses correlations between the errors of
  experts, which non-negative weights cannot.

All rules start from prior weights, the trust in each expert before any losses are observed. Losses
are relative to the mixture's own, so nothing depends on how noisy the targets are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State, join, part

FIRST_LOSS = 0.02


class Rule(Protocol):
    """A rule that combines `K` predictions into one."""

    def combine(self, predictions: Array) -> Array:
        """Combine `(n, K)` predictions into `(n,)`."""

    def learn(self, predictions: Array, target: float) -> None:
        """Learn from `(K,)` predictions and the observed target."""

    def state(self) -> State:
        """Return the mutable state as arrays."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Load a state returned by `state()`."""


class BernsteinAggregation:
    """Weights proportional to `prior exp(eta_k R_k)`, with a separate rate for each expert."""

    def __init__(self, prior: Array) -> None:
        self._prior = prior
        self._regret = np.zeros(len(prior))
        self._squares = np.full(len(prior), 1e-6)
        self._range = np.full(len(prior), 1e-3)

    def _rates(self) -> Array:
        bound = np.log(2.0 / self._prior.min())
        rates: Array = np.minimum(0.5 / self._range, np.sqrt(bound / self._squares))
        return rates

    def weights(self) -> Array:
        """Return `(K,)` weights with sum 1."""
        rates = self._rates()
        return _normalised(np.log(self._prior) + np.log(rates) + rates * self._regret)

    def combine(self, predictions: Array) -> Array:
        """Combine `(n, K)` predictions into `(n,)`."""
        return predictions @ self.weights()

    def learn(self, predictions: Array, target: float) -> None:
        """Add the linearised regret to each expert, minus a second-order term."""
        rates = self._rates()
        mixed = float(self.combine(predictions[None, :])[0])
        gained = 2.0 * (mixed - target) * (mixed - predictions)
        self._range = np.maximum(self._range, np.abs(gained))
        self._regret += gained - rates * gained**2
        self._squares += gained**2

    def state(self) -> State:
        """Return the mutable state as arrays."""
        return {"kept": np.stack([self._regret, self._squares, self._range])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Load a state returned by `state()`."""
        self._regret, self._squares, self._range = np.array(state["kept"])


class DiscountedWeights:
    """Weights proportional to `prior exp(-rate L_k / mean loss)`, with discounted losses.

    Args:
        prior: `(K,)` initial weights.
        rate: learning rate, in units of one over the mixture's mean squared error.
        discount: discount of losses per row.
    """

    def __init__(self, prior: Array, *, rate: float, discount: float) -> None:
        self._prior = prior
        self._rate = rate
        self._discount = discount
        self._losses = np.zeros(len(prior))
        self._own = np.array([FIRST_LOSS, 1.0])

    def weights(self) -> Array:
        """Return `(K,)` weights with sum 1."""
        mean = max(self._own[0] / self._own[1], 1e-12)
        return _normalised(np.log(self._prior) - self._rate * self._losses / mean)

    def combine(self, predictions: Array) -> Array:
        """Combine `(n, K)` predictions into `(n,)`."""
        return predictions @ self.weights()

    def learn(self, predictions: Array, target: float) -> None:
        """Add the squared error of each expert and of the mixture."""
        mixed = float(self.combine(predictions[None, :])[0])
        self._losses = self._discount * self._losses + (predictions - target) ** 2
        self._own = 0.99 * self._own + np.array([(mixed - target) ** 2, 1.0])

    def state(self) -> State:
        """Return the mutable state as arrays."""
        return {"losses": self._losses.copy(), "own": self._own.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Load a state returned by `state()`."""
        self._losses, self._own = np.array(state["losses"]), np.array(state["own"])


class LinearStacking:
    """Recursive least squares on the residuals of the prior mixture, with forgetting.

    Errors are limited to 2.5 standard deviations (Huber), so that a failed run does not dominate
    the weights.
    """

    FORGETTING = 0.998
    MOST_DEVIATIONS = 2.5

    def __init__(self, prior: Array) -> None:
        self._prior = prior
        self._away = np.zeros(len(prior))
        self._covariance = np.eye(len(prior))
        self._own = np.array([FIRST_LOSS, 1.0])

    def combine(self, predictions: Array) -> Array:
        """Combine `(n, K)` predictions into `(n,)` in [0, 1]."""
        middle = predictions @ self._prior
        away = (predictions - middle[:, None]) @ self._away
        return np.clip(middle + away, 0.0, 1.0)

    def learn(self, predictions: Array, target: float) -> None:
        """Apply one step of recursive least squares."""
        middle = float(predictions @ self._prior)
        x = predictions - middle
        error = target - middle - float(x @ self._away)
        variance = float(self._own[0] / self._own[1])
        most = self.MOST_DEVIATIONS * np.sqrt(variance)
        share = min(1.0, most / max(abs(error), 1e-12))
        gain = self._covariance @ x
        scale = share / (self.FORGETTING + share * float(x @ gain))
        self._away = self._away + scale * error * gain
        covariance = (self._covariance - scale * np.outer(gain, gain)) / self.FORGETTING
        # Without this cap, forgetting would let the covariance grow while the experts agree.
        covariance *= min(1.0, len(x) / float(np.trace(covariance)))
        self._covariance = 0.5 * (covariance + covariance.T)
        self._own = 0.99 * self._own + np.array([min(error**2, 9.0 * variance), 1.0])

    def state(self) -> State:
        """Return the mutable state as arrays."""
        return {
            "away": self._away.copy(),
            "covariance": self._covariance.copy(),
            "own": self._own.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Load a state returned by `state()`."""
        self._away = np.array(state["away"])
        self._covariance = np.array(state["covariance"])
        self._own = np.array(state["own"])


class Aggregation:
    """The three rules, combined by discounted weights.

    Args:
        prior: `(K,)` positive trust in each expert before any losses are observed.
    """

    def __init__(self, prior: Array) -> None:
        prior = prior / prior.sum()
        self.bernstein = BernsteinAggregation(prior)
        self._rules: dict[str, Rule] = {
            "bernstein": self.bernstein,
            "discounted": DiscountedWeights(prior, rate=0.1, discount=0.995),
            "stacking": LinearStacking(prior),
        }
        self._top = DiscountedWeights(np.full(3, 1.0 / 3.0), rate=0.05, discount=0.998)

    def combine(self, predictions: Array) -> Array:
        """Combine `(n, K)` predictions into `(n,)`."""
        return self._top.combine(self._combined(predictions))

    def _combined(self, predictions: Array) -> Array:
        found = [rule.combine(predictions) for rule in self._rules.values()]
        return np.stack(found, axis=1)

    def learn(self, predictions: Array, target: float) -> None:
        """Learn from `(K,)` predictions and the observed target."""
        self._top.learn(self._combined(predictions[None, :])[0], target)
        for rule in self._rules.values():
            rule.learn(predictions, target)

    def state(self) -> State:
        """Return the mutable state as arrays."""
        parts = {name: rule.state() for name, rule in self._rules.items()}
        return join({**parts, "top": self._top.state()})

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Load a state returned by `state()`."""
        for name, rule in self._rules.items():
            rule.restore(part(state, name))
        self._top.restore(part(state, "top"))


def _normalised(logarithms: Array) -> Array:
    weights = np.exp(logarithms - logarithms.max())
    normalised: Array = weights / weights.sum()
    return normalised
