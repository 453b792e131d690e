"""Fit a linear head: multinomial logistic regression on standardised features.

The penalty is selected on validation images. The search begins with a penalty that is often good
enough, and each fit starts from the previous one. L-BFGS makes ten to thirty passes over the
features in memory. It works on the principal axes of the features, each scaled by the curvature
that the loss is expected to have along it; without that it needs two to ten times as many.
"""

from __future__ import annotations

import math
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

# Inverse strengths C as in scikit-learn: the mean loss of n images is penalised by |w|^2 / (2 C n).
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
FIRST_STRENGTH = 0.01
MAX_ITERATIONS = 60
SEARCHED = FineTuneConfig.search_images  # images used to select the strength
TIMED_IMAGES = 1024
GRADIENT_TOLERANCE = 1e-5  # of the gradient's largest element
LOSS_TOLERANCE = 3e-5  # of what an iteration takes from the loss, relative to it
# Typical p (1 - p) of a class's probability p, over its value 1 / num_classes at the start.
CURVATURE = 0.3
# Previous iterations that L-BFGS-B remembers. Its work on these takes longer than the loss.
MEMORY = 5


@dataclass(frozen=True)
class LinearHead:
    """A linear head for features that are not standardised.

    Args:
        weight: `(num_classes, d)` weights.
        bias: `(num_classes,)` bias.
        strength: the selected C.
        iterations: iterations of the last fit; 0 for `majority_head`.
        val_loss: mean cross-entropy of the validation images; infinite if there are none.
    """

    weight: Tensor
    bias: Tensor
    strength: float
    iterations: int
    val_loss: float

    @property
    def is_constant(self) -> bool:
        """Whether the head gives the same answer for every image."""
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
    """Select a strength by validation loss and fit a head with it.

    If there are more than `SEARCHED` images, the strength is selected on the first `SEARCHED` of
    them; the head is then fitted to all of them.

    Args:
        features: `(n, d)` float32 features in random order.
        labels: `(n,)` class numbers.
        num_classes: number of classes.
        validation: `(m, d)` features and `(m,)` labels for the selection; if m is 0, the strength
            that the search begins with is used.
        strengths: candidates in ascending order. The search begins with `FIRST_STRENGTH`, or with
            the first if that is not among them, and goes up, or else down, until the loss no
            longer falls.
        may_go_on: called before every fit but the first; no further fit is made if it returns
            False.
        may_iterate: called after every iteration; the fit ends with its current weights if it
            returns False.
    """
    scaling = _Scaling.of(features)
    problem = _Problem.of(scaling(features[:SEARCHED]), labels[:SEARCHED], num_classes)
    problem.may_iterate = may_iterate
    val_features = scaling(validation[0])
    start = strengths.index(FIRST_STRENGTH) if FIRST_STRENGTH in strengths else 0
    first = best = problem.fit(strengths[start], val_features, validation[1])
    ways = (strengths[start + 1 :], strengths[:start][::-1]) if len(validation[1]) else ()
    for way in ways:
        for strength in way if best is first else ():
            if not may_go_on():
                break
            found = problem.fit(strength, val_features, validation[1])
            if not found.val_loss < best.val_loss:
                break
            best = found
    if len(features) > SEARCHED and may_go_on():
        problem = _Problem.of(scaling(features), labels, num_classes, best, problem.axes)
        problem.may_iterate = may_iterate
        best = problem.fit(best.strength, val_features, validation[1])
    return scaling.undone(best)


def refit_head(
    head: LinearHead,
    features: Tensor,
    labels: Tensor,
    may_iterate: Callable[[], bool] = lambda: True,
) -> LinearHead:
    """Fit a head to other features, with the same strength and starting from its weights.

    Args:
        head: head to start from.
        features: `(n, d)` float32 features.
        labels: `(n,)` class numbers.
        may_iterate: see `fit_head`.
    """
    scaling = _Scaling.of(features)
    start = scaling.done(head)
    problem = _Problem.of(scaling(features), labels, len(head.bias), start)
    problem.may_iterate = may_iterate
    return scaling.undone(problem.fit(head.strength, features[:0], labels[:0]))


def pass_s(
    num_images: int,
    num_features: int,
    num_classes: int,
    elapsed_s: Callable[[], float],
    device: torch.device,
) -> float:
    """Measure the seconds of one pass of a fit over features of this size.

    Args:
        num_images: number of images; a pass over the first `TIMED_IMAGES` is scaled up.
        num_features: features of an image.
        num_classes: number of classes.
        elapsed_s: clock.
        device: where the fit is computed.
    """
    timed = min(num_images, TIMED_IMAGES)
    rows = torch.ones(timed, num_features, device=device)
    weight = torch.ones(num_classes, num_features, device=device)
    seconds = 0.0
    for _ in range(2):  # the first prepares kernels
        started = elapsed_s()
        logits = rows @ weight.T
        (logits.softmax(dim=1).T @ rows).sum().item()
        seconds = elapsed_s() - started
    return seconds * num_images / timed


def majority_head(labels: Tensor, num_classes: int, width: int) -> LinearHead:
    """Return a head that ignores the features and predicts the frequencies of the classes.

    Args:
        labels: `(n,)` class numbers of training images, n above 0.
        num_classes: number of classes.
        width: number of features.
    """
    counts = torch.bincount(labels, minlength=num_classes).float() + 1.0
    weight = torch.zeros(num_classes, width, device=labels.device)
    return LinearHead(weight, (counts / counts.sum()).log(), STRENGTHS[0], 0, float("inf"))


def is_clearly_better(head: LinearHead, than: LinearHead, features: Tensor, labels: Tensor) -> bool:
    """Return whether a head classifies more images right, by more than one standard error.

    One image more may be chance.

    Args:
        head: the head.
        than: the head that it is compared with.
        features: `(n, d)` features of images that neither was fitted to.
        labels: `(n,)` class numbers.
    """
    own, other = (is_right(some, features, labels) for some in (head, than))
    gained, lost = int((own & ~other).sum()), int((other & ~own).sum())
    return gained - lost > math.sqrt(gained + lost)


def is_right(head: LinearHead, features: Tensor, labels: Tensor) -> Tensor:
    """Return which of `(n,)` images a head classifies as their labels, by `(n, d)` features."""
    logits = features @ head.weight.T.to(features) + head.bias.to(features)
    return logits.argmax(dim=1) == labels


def put_head(network: StagedNetwork, head: LinearHead) -> None:
    """Copy the weights of a fitted head to a network's head."""
    own = network.head
    assert isinstance(own, PooledLinear)
    with torch.no_grad():
        own.fc.weight.copy_(head.weight)
        own.fc.bias.copy_(head.bias)


@dataclass(frozen=True)
class _Scaling:
    """Standardises features, and converts heads between standardised and original features."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, features: Tensor) -> _Scaling:
        mean, std = features.mean(dim=0), features.std(dim=0, correction=0)
        # A feature that is constant up to rounding carries no information; do not amplify it.
        return cls(mean, torch.where(std > 1e-5 * mean.abs().clamp(min=1.0), std, 1.0))

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std

    def undone(self, head: LinearHead) -> LinearHead:
        weight = head.weight / self.std
        return replace(head, weight=weight, bias=head.bias - weight @ self.mean)

    def done(self, head: LinearHead) -> LinearHead:
        bias = head.bias + head.weight @ self.mean
        return replace(head, weight=head.weight * self.std, bias=bias)


@dataclass(frozen=True)
class _Axes:
    """Orthonormal directions `(d, r)` that span features, and the `(r,)` variances along them."""

    basis: Tensor
    variances: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> _Axes:
        """Return the principal axes of `(n, d)` standardised features; `r` is below `d` if n is.

        The penalised solution is in the span of the features, so fewer axes give the same fit.
        """
        count, width = rows.shape
        if count >= width:
            values, basis = torch.linalg.eigh(rows.T @ rows)
            return cls(basis, values.clamp(min=0.0) / count)
        # Eigenvectors of the small Gram matrix; directions with hardly any variance are left out.
        values, vectors = torch.linalg.eigh(rows @ rows.T)
        kept = values > 1e-5 * values[-1].clamp(min=1e-12)
        values, vectors = values[kept], vectors[:, kept]
        return cls(rows.T @ (vectors / values.sqrt()), values / count)

    @property
    def are_complete(self) -> bool:
        """Whether they span any features of this width."""
        return self.basis.shape[0] == self.basis.shape[1]


@dataclass
class _Problem:
    """Features along axes, and the weights of the last fit."""

    rows: Tensor
    labels: Tensor
    axes: _Axes
    weight: Tensor
    bias: Tensor
    may_iterate: Callable[[], bool] = lambda: True

    @classmethod
    def of(
        cls,
        rows: Tensor,
        labels: Tensor,
        num_classes: int,
        start: LinearHead | None = None,
        axes: _Axes | None = None,
    ) -> _Problem:
        """Return the problem of standardised features.

        Args:
            rows: `(n, d)` standardised features.
            labels: `(n,)` class numbers.
            num_classes: number of classes.
            start: the head to start from; zeros if None.
            axes: those of other features of this kind, which save computing them.
        """
        axes = axes if axes and axes.are_complete else _Axes.of(rows)
        weight = torch.zeros(num_classes, axes.basis.shape[1], device=rows.device)
        bias = torch.zeros(num_classes, device=rows.device)
        if start is not None:
            weight, bias = start.weight @ axes.basis, start.bias.clone()
        return cls(rows @ axes.basis, labels, axes, weight, bias)

    def fit(self, strength: float, val_features: Tensor, val_labels: Tensor) -> LinearHead:
        """Fit a head, starting from the last weights, and compute its validation loss."""
        l2 = 0.5 / (strength * len(self.rows))
        iterations = self._minimise(l2)
        weight = self.weight @ self.axes.basis.T
        loss = float("inf")
        if len(val_labels):
            logits = val_features @ weight.T + self.bias
            loss = functional.cross_entropy(logits, val_labels).item()
        return LinearHead(weight, self.bias.clone(), strength, iterations, loss)

    def _minimise(self, l2: float) -> int:
        """Minimise the penalised mean loss in place; return the number of iterations."""
        rows, labels = self.rows, self.labels
        index = torch.arange(len(labels), device=rows.device)
        curvature = CURVATURE / len(self.bias)
        curvatures = curvature * self.axes.variances + 2 * l2
        # The last column is for the bias.
        scales = torch.cat([curvatures, curvatures.new_tensor([curvature])]).rsqrt()

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            # Computed by hand: autograd would keep and copy three arrays of n x num_classes.
            both = self._unscaled(flat, scales)
            own, own_bias = both[:, :-1], both[:, -1]
            logits = torch.addmm(own_bias, rows, own.T)
            log_sums = logits.logsumexp(dim=1)
            value = (log_sums - logits[index, labels]).mean() + l2 * own.square().sum()
            surplus = logits.sub_(log_sums[:, None]).exp_()
            surplus[index, labels] -= 1.0
            surplus /= len(labels)
            gradient = torch.addmm(own, surplus.T, rows, beta=2 * l2)
            whole = torch.cat([gradient, surplus.sum(dim=0)[:, None]], dim=1) * scales
            return value.item(), whole.double().cpu().numpy().ravel()

        def end_in_time(_weights: NDArray[np.float64]) -> None:
            if not self.may_iterate():
                raise StopIteration

        start = torch.cat([self.weight, self.bias[:, None]], dim=1) / scales
        # For vectors of this length, synchronising threads takes longer than the additions. Beside
        # other busy processes, threads wait for each other a hundred times as long.
        with threadpool_limits(1, user_api="blas"):
            found = minimize(
                loss,
                start.double().cpu().numpy().ravel(),
                jac=True,
                method="L-BFGS-B",
                callback=end_in_time,
                options={
                    "maxiter": MAX_ITERATIONS,
                    "maxcor": MEMORY,
                    "gtol": GRADIENT_TOLERANCE,
                    "ftol": LOSS_TOLERANCE,
                },
            )
        both = self._unscaled(found.x, scales)
        self.weight.copy_(both[:, :-1])
        self.bias.copy_(both[:, -1])
        return int(found.nit)

    def _unscaled(self, flat: NDArray[np.float64], scales: Tensor) -> Tensor:
        """Return weights and bias, `(num_classes, r + 1)`, of a scaled vector."""
        return torch.from_numpy(flat.reshape(len(self.bias), -1)).to(self.rows) * scales
