"""The hedge: weights of depths, updated by their losses (Eq. 4), and its regret (theorem 1).

    alpha'_l = alpha_l beta^loss_l,   alpha = alpha' / sum alpha',   alpha(1) = 1/L

Losses are in [0, 1]. Write `beta = 1 / (1 + c)`. The paper's proof (appendix 8, after Freund and
Schapire 1997) shows for every T >= 1, every sequence of losses, including adversarial ones, and the
mean loss `m` of the best depth

    1/T sum_t alpha(t) loss(t)  <=  (1 + c/2) m + (1 + 1/c) ln(L) / T,

so with the theorem's `beta = sqrt(T) / (sqrt(T) + C)`, that is `c = C / sqrt(T)`, a mean regret of

    regret  <=  (C m / 2 + ln(L) / C) / sqrt(T) + ln(L) / T.                                   (T1)

The bound is smallest for `C = sqrt(2 ln L)` if m is 1. Remarks on the theorem as printed:

- It states `O(1 / sqrt(T))` for large T. (T1) is the bound in the proof before constants are
  dropped; these contain C and ln(L), and T need not be large.
- Its sequence of weights is printed as alpha(1), alpha(1), ...: the second is alpha(2). Eq. 3
  counts depths from l = 0; the theorem and this module count from 1. In the appendix
  `I1 = ... + O(c)` should be `<=`.
- It bounds the weighted mean of the depths' losses. A convex loss of the weighted prediction is at
  most this mean (Jensen). Squared error clipped to 1 is not convex, so the bound applies to the
  prediction only while no depth has an error above 1.
- The best depth in hindsight is a depth of this network, as trained in this network. The theorem
  does not cover a plain MLP of that depth, which would receive all of the gradient.

If T is not known, `beta=None` selects the anytime form: round t uses the theorem's beta for T = t,
on all losses so far, `alpha(t) ~ beta_t^(sum of losses before t)`. With `eta_t = -ln beta_t`:

    sum_t alpha(t) loss(t) - best  <=  ln(L) / eta_T + sum_t eta_t / 8
    regret  <=  (ln(L) / C + C / 4) / sqrt(T) + ln(L) / (2 T),     for every T at once,        (T2)

which is smallest for `C = 2 sqrt(ln L)`. Proof, for a depth k: one round multiplies alpha by
`beta_t^loss`, divides it by `Z = sum_l alpha_l beta_t^loss_l`, raises it to the power
`r = eta_{t+1} / eta_t <= 1` and divides it by the sum N of the result. Hoeffding's lemma gives
`-ln Z >= eta_t alpha loss - eta_t^2 / 8`; concavity gives `N <= L^(1 - r)`. So

    ln(alpha_k(t+1)) / eta_{t+1} - ln(alpha_k(t)) / eta_t
        >=  alpha loss - loss_k - eta_t / 8 - (1 / eta_{t+1} - 1 / eta_t) ln(L),

which telescopes over t < T; round T ends before its power step. (T2) then follows from
`eta_t <= C / sqrt(t)`, `1 / ln(1 + c) <= 1 / c + 1 / 2`, and `sum_t 1 / sqrt(t) <= 2 sqrt(T)`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]

# The smallest normal double is about 1e-308. A weight that underflows to 0 could never recover, and
# the regret would grow without bound; with this floor it can, and a round costs at most L times the
# floor. It also keeps products of alpha and gradients out of the slow subnormal range.
LEAST_WEIGHT = 1e-100


def discount(rounds: int, constant: float) -> float:
    """Return the theorem's beta for T = `rounds`: sqrt(T) / (sqrt(T) + C)."""
    return 1.0 / (1.0 + constant / math.sqrt(rounds))


def best_constant(num_depths: int) -> float:
    """Return the C that minimises (T1) for the worst losses."""
    return math.sqrt(2.0 * math.log(max(num_depths, 2)))


def anytime_constant(num_depths: int) -> float:
    """Return the C that minimises (T2), used by the anytime form."""
    return 2.0 * math.sqrt(math.log(max(num_depths, 2)))


def regret_bound(num_depths: int, rounds: int, beta: float, best_loss: float = 1.0) -> float:
    """Return the bound on the mean regret from the proof of theorem 1, (T1) for any beta.

    Args:
        num_depths: L, the number of depths.
        rounds: T, the number of rounds.
        beta: discount, the same in all rounds.
        best_loss: mean loss of the best depth in hindsight, in [0, 1]; 1 is always valid.
    """
    c = 1.0 / beta - 1.0
    return 0.5 * c * best_loss + (1.0 + 1.0 / c) * math.log(num_depths) / rounds


def anytime_regret_bound(num_depths: int, rounds: int) -> float:
    """Return the bound on the mean regret of the anytime form after `rounds` rounds, (T2)."""
    constant, entropy = anytime_constant(num_depths), math.log(num_depths)
    leading = (entropy / constant + constant / 4.0) / math.sqrt(rounds)
    return leading + entropy / (2.0 * rounds)


class Hedge:
    """Weights on the simplex, updated by losses.

    Args:
        alpha: `(L,)` initial weights, at least 0 with sum 1; all 1/L in the theorem. A weight of 0
            stays 0.
        beta: discount in (0, 1), the same in all rounds; None for the anytime form, whose bound
            requires equal initial weights.
        rounds: number of earlier rounds, from which the anytime form continues.

    >>> hedge = Hedge([0.5, 0.5], beta=0.5)
    >>> hedge.update([1.0, 0.0])
    >>> hedge.alpha.round(3).tolist()
    [0.333, 0.667]
    """

    def __init__(self, alpha: ArrayLike, *, beta: float | None, rounds: int = 0) -> None:
        self.alpha: Array = np.array(alpha, dtype=np.float64)
        if beta is not None and not 0 < beta < 1:
            raise InvalidInput(f"Expected beta to be between 0 and 1 but it was {beta}")
        if rounds < 0:
            raise InvalidInput(f"Expected rounds to be at least 0 but it was {rounds}")
        self.rounds = rounds
        self._fixed_beta = beta
        self._constant = anytime_constant(len(self.alpha))
        self._is_open = self.alpha > 0.0

    @property
    def is_anytime(self) -> bool:
        """Whether beta changes with the rounds."""
        return self._fixed_beta is None

    @property
    def beta(self) -> float:
        """Discount of the next round."""
        if self._fixed_beta is not None:
            return self._fixed_beta
        return discount(self.rounds + 1, self._constant)

    def update(self, losses: ArrayLike) -> None:
        """Update the weights by `(L,)` losses of at least 0; those above 1 are clipped to 1."""
        beta = self.beta
        self.alpha *= beta ** np.minimum(losses, 1.0)
        self.alpha /= self.alpha.sum()
        self.rounds += 1
        if self._fixed_beta is None:
            self.alpha **= math.log(self.beta) / math.log(beta)
            self.alpha /= self.alpha.sum()
        np.maximum(self.alpha, LEAST_WEIGHT, out=self.alpha, where=self._is_open)
