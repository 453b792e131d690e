"""The head alone, fitted: multinomial logistic regression on standardised features.

The penalty is chosen on validation images, from the strongest on, each fit starting from the one
before. L-BFGS needs some ten to twenty passes over features that are in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional

from nasoa.arch.network import PooledLinear, StagedNetwork
from nasoa.config import FineTuneConfig

# Inverse strengths as scikit-learn's C: the penalty is |w|^2 / (2 C n) beside the mean loss of n.
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
MAX_ITERATIONS = 60
SEARCHED = FineTuneConfig.search_images  # images that choose the strength
TOLERANCE = 1e-4  # of the gradient's largest element


@dataclass(frozen=True)
class LinearHead:
    """`weight` `(num_classes, d)` and `bias` `(num_classes,)` for features as they came.

    `strength` is the chosen C, `iterations` those of its last fit, 0 of `majority_head`, `val_loss`
    the mean cross-entropy of the validation images, infinite without any.
    """

    weight: Tensor
    bias: Tensor
    strength: float
    iterations: int
    val_loss: float

    @property
    def is_constant(self) -> bool:
        """Whether it gives the same answer for every image."""
        return not self.weight.any()


def fit_head(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    validation: tuple[Tensor, Tensor],
    strengths: tuple[float, ...] = STRENGTHS,
    may_go_on: Callable[[], bool] = lambda: True,
    may_iterate: Callable[[], bool] = lambda: True,
) -> LinearHead:
    """Choose a strength by validation and fit a head with it.

    Of more than `SEARCHED` images the first so many choose the strength; all are fitted to then.

    Args:
        features: `(n, d)` float32, in random order.
        labels: `(n,)` in `range(num_classes)`.
        num_classes: rows of the weight.
        validation: `(m, d)` features and `(m,)` labels that choose the strength; m may be 0, and
            the first strength is taken then.
        strengths: ascending; the search ends where validation gets worse.
        may_go_on: asked before every fit but the first.
        may_iterate: asked after every iteration of a fit, which ends where there is no time; what
            it has found is used.
    """
    scaling = _Scaling.of(features)
    problem = _Problem.of(scaling(features[:SEARCHED]), labels[:SEARCHED], num_classes)
    problem.may_iterate = may_iterate
    val_features = scaling(validation[0])
    best = problem.fit(strengths[0], val_features, validation[1])
    for strength in strengths[1:] if len(validation[1]) else ():
        if not may_go_on():
            break
        found = problem.fit(strength, val_features, validation[1])
        if not found.val_loss < best.val_loss:
            break
        best = found
    if len(features) > SEARCHED and may_go_on():
        problem = _Problem.of(scaling(features), labels, num_classes, best)
        problem.may_iterate = may_iterate
        best = problem.fit(best.strength, val_features, validation[1])
    return scaling.undone(best)


def refit_head(
    head: LinearHead,
    features: Tensor,
    labels: Tensor,
    may_iterate: Callable[[], bool] = lambda: True,
) -> LinearHead:
    """Fit a head anew to other features, `(n, d)`, with its strength, starting from its weights.

    `may_iterate` is asked as by `fit_head`.
    """
    scaling = _Scaling.of(features)
    start = scaling.done(head)
    problem = _Problem.of(scaling(features), labels, len(head.bias), start)
    problem.may_iterate = may_iterate
    return scaling.undone(problem.fit(head.strength, features[:0], labels[:0]))


def majority_head(labels: Tensor, num_classes: int, width: int) -> LinearHead:
    """Return the head that needs no features: it answers with the classes' frequencies.

    Args:
        labels: `(n,)` of training images, n above 0.
        num_classes: rows of the weight.
        width: columns of the weight.
    """
    counts = torch.bincount(labels, minlength=num_classes).float() + 1.0
    weight = torch.zeros(num_classes, width, device=labels.device)
    return LinearHead(weight, (counts / counts.sum()).log(), STRENGTHS[0], 0, float("inf"))


def put_head(network: StagedNetwork, head: LinearHead) -> None:
    """Copy the weights of a fitted head to a network's head."""
    own = network.head
    assert isinstance(own, PooledLinear)
    with torch.no_grad():
        own.fc.weight.copy_(head.weight)
        own.fc.bias.copy_(head.bias)


@dataclass(frozen=True)
class _Scaling:
    """Standardises features; heads are for features as they came, or as they are scaled."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, features: Tensor) -> _Scaling:
        mean, std = features.mean(dim=0), features.std(dim=0, correction=0)
        # What is constant up to rounding says nothing, and must not be blown up.
        return cls(mean, torch.where(std > 1e-5 * mean.abs().clamp(min=1.0), std, 1.0))

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std

    def undone(self, head: LinearHead) -> LinearHead:
        weight = head.weight / self.std
        return replace(head, weight=weight, bias=head.bias - weight @ self.mean)

    def done(self, head: LinearHead) -> LinearHead:
        bias = head.bias + head.weight @ self.mean
        return replace(head, weight=head.weight * self.std, bias=bias)


@dataclass
class _Problem:
    """Standardised features, and the weights that the last fit found."""

    rows: Tensor
    labels: Tensor
    basis: Tensor | None
    weight: Tensor
    bias: Tensor
    may_iterate: Callable[[], bool] = lambda: True

    @classmethod
    def of(
        cls, rows: Tensor, labels: Tensor, num_classes: int, start: LinearHead | None = None
    ) -> _Problem:
        basis = _basis(rows)
        compact = rows if basis is None else rows @ basis
        weight = torch.zeros(num_classes, compact.shape[1], device=rows.device)
        bias = torch.zeros(num_classes, device=rows.device)
        if start is not None:
            weight = start.weight.clone() if basis is None else start.weight @ basis
            bias = start.bias.clone()
        return cls(compact, labels, basis, weight, bias)

    def fit(self, strength: float, val_features: Tensor, val_labels: Tensor) -> LinearHead:
        """Fit from the last weights on, and say how good the head is in validation."""
        l2 = 0.5 / (strength * len(self.rows))
        iterations = self._minimise(l2)
        weight = self.weight.clone() if self.basis is None else self.weight @ self.basis.T
        loss = float("inf")
        if len(val_labels):
            logits = val_features @ weight.T + self.bias
            loss = functional.cross_entropy(logits, val_labels).item()
        return LinearHead(weight, self.bias.clone(), strength, iterations, loss)

    def _minimise(self, l2: float) -> int:
        """Minimise the penalised mean loss in place; returns the iterations made."""
        rows, labels = self.rows, self.labels
        index = torch.arange(len(labels), device=rows.device)
        shape = (len(self.bias), self.weight.shape[1] + 1)

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            # By hand: autograd would keep and copy three arrays of n x num_classes.
            both = torch.from_numpy(flat.reshape(shape)).to(rows)
            own, own_bias = both[:, :-1], both[:, -1]
            logits = torch.addmm(own_bias, rows, own.T)
            log_sums = logits.logsumexp(dim=1)
            value = (log_sums - logits[index, labels]).mean() + l2 * own.square().sum()
            surplus = logits.sub_(log_sums[:, None]).exp_()
            surplus[index, labels] -= 1.0
            surplus /= len(labels)
            gradient = torch.addmm(own, surplus.T, rows, beta=2 * l2)
            whole = torch.cat([gradient, surplus.sum(dim=0)[:, None]], dim=1)
            return value.item(), whole.double().cpu().numpy().ravel()

        def end_in_time(_weights: NDArray[np.float64]) -> None:
            if not self.may_iterate():
                raise StopIteration

        start = torch.cat([self.weight, self.bias[:, None]], dim=1).double().cpu().numpy().ravel()
        # Of vectors of this length, threads take longer to meet than to add; and where others
        # compute too, they wait for each other a hundred times as long.
        with threadpool_limits(1, user_api="blas"):
            found = minimize(
                loss,
                start,
                jac=True,
                method="L-BFGS-B",
                callback=end_in_time,
                options={"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE, "ftol": 1e-7},
            )
        both = torch.from_numpy(found.x.reshape(shape)).to(rows)
        self.weight.copy_(both[:, :-1])
        self.bias.copy_(both[:, -1])
        return int(found.nit)


def _basis(rows: Tensor) -> Tensor | None:
    """`(d, k)` orthonormal basis of the span of `(n, d)` rows, where n < d.

    A penalised solution lies in that span, so the fit is the same and takes n / d of the time.
    """
    count, width = rows.shape
    if count >= width:
        return None
    # Of the small Gram matrix; directions with next to no variance are left out.
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    kept = values > 1e-5 * values[-1].clamp(min=1e-12)
    found: Tensor = rows.T @ (vectors[:, kept] / values[kept].sqrt())
    return found
