"""The hedge: weights on depths that follow their losses (Eq. 4), and what theorem 1 promises.

    alpha'_l = alpha_l beta^loss_l,   alpha = alpha' / sum alpha',   alpha(1) = 1/L

Losses are in [0, 1]. Write `beta = 1 / (1 + c)`. The paper's proof (appendix 8, after Freund and
Schapire 1997) shows for every T >= 1, every sequence of losses, adversarial ones too, and the mean
loss `m` of the best depth

    1/T sum_t alpha(t) loss(t)  <=  (1 + c/2) m + (1 + 1/c) ln(L) / T,

so with the theorem's `beta = sqrt(T) / (sqrt(T) + C)`, which is `c = C / sqrt(T)`, a mean regret of

    regret  <=  (C m / 2 + ln(L) / C) / sqrt(T) + ln(L) / T.                                   (T1)

That is least for `C = sqrt(2 ln L)` where m is 1. Remarks on the theorem as it is printed:

- It has `O(1 / sqrt(T))` for a large T. (T1) is what the proof has shown before it drops
  constants; C and ln(L) are in them, and T need not be large.
- Its sequence of weights is printed as alpha(1), alpha(1), ...: the second is alpha(2). Eq. 3
  counts depths from l = 0, the theorem from 1, as here. In the appendix `I1 = ... + O(c)` is `<=`.
- It is about the weighted mean of the depths' losses. A convex loss of the weighted prediction is
  not above that (Jensen); squared error that is clipped to 1 is not convex, so the promise passes
  to the prediction only while no depth is off by more than 1.
- Best in hindsight is a depth of this network, as it was trained in this network. The theorem says
  nothing of a plain MLP of that depth, which every gradient would have gone to.

Where T is not known, `beta=None` is the anytime form: in round t the theorem's beta for T = t, on
all losses so far, `alpha(t) ~ beta_t^(sum of losses before t)`. With `eta_t = -ln beta_t`:

    sum_t alpha(t) loss(t) - best  <=  ln(L) / eta_T + sum_t eta_t / 8
    regret  <=  (ln(L) / C + C / 4) / sqrt(T) + ln(L) / (2 T),     for every T at once,        (T2)

least for `C = 2 sqrt(ln L)`. Proof, for a depth k. One round multiplies by `beta_t^loss`, divides
by `Z = sum_l alpha_l beta_t^loss_l`, raises to `r = eta_{t+1} / eta_t <= 1` and divides by the sum
N of that. Hoeffding's lemma gives `-ln Z >= eta_t alpha loss - eta_t^2 / 8`; concavity gives
`N <= L^(1 - r)`. So

    ln(alpha_k(t+1)) / eta_{t+1} - ln(alpha_k(t)) / eta_t
        >=  alpha loss - loss_k - eta_t / 8 - (1 / eta_{t+1} - 1 / eta_t) ln(L),

which telescopes over t < T; round T ends before its power. (T2) then follows from
`eta_t <= C / sqrt(t)`, `1 / ln(1 + c) <= 1 / c + 1 / 2`, and `sum_t 1 / sqrt(t) <= 2 sqrt(T)`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]

# Doubles end at 1e-308. A depth that came to 0 could never come back, and its regret would grow
# without end; held here it can, and a round costs at most L times this. It also keeps products of
# alpha and gradients out of the slow range of doubles.
LEAST_WEIGHT = 1e-100


def discount(rounds: int, constant: float) -> float:
    """The theorem's beta for T = `rounds`: sqrt(T) / (sqrt(T) + C)."""
    return 1.0 / (1.0 + constant / math.sqrt(rounds))


def best_constant(num_depths: int) -> float:
    """The C for which (T1) is least whatever the losses are."""
    return math.sqrt(2.0 * math.log(max(num_depths, 2)))


def anytime_constant(num_depths: int) -> float:
    """The C for which (T2) is least; it is what the anytime form uses."""
    return 2.0 * math.sqrt(math.log(max(num_depths, 2)))


def regret_bound(num_depths: int, rounds: int, beta: float, best_loss: float = 1.0) -> float:
    """What the proof of theorem 1 shows of the mean regret, (T1) for any beta.

    Args:
        num_depths: L.
        rounds: T.
        beta: the same in all rounds.
        best_loss: mean loss of the best depth in hindsight, in [0, 1]; 1 holds always.
    """
    c = 1.0 / beta - 1.0
    return 0.5 * c * best_loss + (1.0 + 1.0 / c) * math.log(num_depths) / rounds


def anytime_regret_bound(num_depths: int, rounds: int) -> float:
    """Mean regret of the anytime form after `rounds` at most, (T2)."""
    constant, entropy = anytime_constant(num_depths), math.log(num_depths)
    leading = (entropy / constant + constant / 4.0) / math.sqrt(rounds)
    return leading + entropy / (2.0 * rounds)


class Hedge:
    """Weights on the simplex, moved by losses.

    Args:
        alpha: `(L,)` first weights, at least 0, sum 1; the theorem's are all 1/L. A weight of 0
            stays 0.
        beta: discount in (0, 1), the same in all rounds; None for the anytime form, whose bound is
            for equal first weights.
        rounds: that were played before; the anytime form goes on from there.

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
        """Whether beta moves with the rounds."""
        return self._fixed_beta is None

    @property
    def beta(self) -> float:
        """The discount of the round to come."""
        if self._fixed_beta is not None:
            return self._fixed_beta
        return discount(self.rounds + 1, self._constant)

    def update(self, losses: ArrayLike) -> None:
        """One round: `(L,)` losses, at least 0; a greater one counts as 1."""
        beta = self.beta
        self.alpha *= beta ** np.minimum(losses, 1.0)
        self.alpha /= self.alpha.sum()
        self.rounds += 1
        if self._fixed_beta is None:
            self.alpha **= math.log(self.beta) / math.log(beta)
            self.alpha /= self.alpha.sum()
        np.maximum(self.alpha, LEAST_WEIGHT, out=self.alpha, where=self._is_open)
