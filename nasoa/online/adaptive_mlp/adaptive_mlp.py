"""The accuracy predictor: an MLP of adaptive depth, learned online by Hedge Backpropagation.

Eq. 3 and 4 of section 3.2.1, after Sahoo et al. 2018, "Online Deep Learning" (the paper's [44]).
Each of `L` hidden layers has a linear output; `alpha` on the simplex weights the outputs:

    f(x) = sum_l alpha_l f_l,   f_l = W_l h_l,   h_l = ReLU(Phi_l h_{l-1}),   h_0 = x          (3)

    alpha_l <- alpha_l beta^min(loss_l, 1), then normalised to sum 1                            (4)
    W_l     <- W_l   - eta alpha_l grad_{W_l} loss_l
    Phi_l   <- Phi_l - eta sum_{j >= l} alpha_j grad_{Phi_l} loss_j

Choices where the equations leave details open:

- The paper prints the gradient in the update of Phi with respect to W. Here it is with respect to
  Phi, as in Sahoo et al.
- `loss_l = (f_l - y)^2`, the squared error as in Table 3; its gradient has the factor 2. The hedge
  uses the loss clipped to [0, 1], as theorem 1 requires; the gradients are those of the unclipped
  loss. The theorem's guarantee for alpha, and its anytime form, are in
  `nasoa.online.adaptive_mlp.hedge_backpropagation`.
- One observation updates all parameters from the same state: gradients use the alpha, W and Phi
  that the prediction was made with.
- Layers have biases, as in Sahoo et al.: each h, and x, ends with a constant, which the last column
  of Phi and W multiplies. Without biases f(0) would always be 0. The constant is `BIAS_INPUT`, not
  1, so that the level of a stream is learned as quickly as its slopes (the error on a constant
  stream of 3,000 observations falls from 0.043 to 0.017; on other streams it does not change).
- Phi is initialised by `nasoa.online.adaptive_mlp.initial_weights` such that the deepest output
  receives the features as well as the first.
- W is initialised to 0, with a bias such that every depth predicts 1/2 before it has learned.
- Predictions follow Eq. 3 and are not clipped to [0, 1], because clipping would make the best
  regimes equal. Code that displays an accuracy clips it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput
from nasoa.online.adaptive_mlp.hedge_backpropagation import Hedge
from nasoa.online.adaptive_mlp.initial_weights import deeper_weights, first_weights

Array = NDArray[np.float64]

INITIAL_OUTPUT = 0.5
BIAS_INPUT = 4.0
ROWS_PER_BLOCK = 1024


class AdaptiveMLP:
    """Online regression by an MLP of adaptive depth (Eq. 3 and 4).

    All arrays are float64, so that sums over thousands of tiny updates stay accurate. At 64 units
    the time is dominated by call overhead, not by memory traffic.

    Args:
        num_features: `d`, the length of a feature vector; features in about [-3, 3].
        num_layers: `L`, the number of hidden layers; 10 in the paper.
        hidden_units: units per hidden layer; 64 in the paper.
        eta: learning rate of the weights; 0.01 in the paper.
        beta: discount of the hedge, in (0, 1); 0.99 in the paper. If the number of observations is
            known, `nasoa.online.adaptive_mlp.hedge_backpropagation.discount` returns the value of
            theorem 1; if it is not, None selects the anytime form.
        seed: random seed for the initial weights.

    >>> model = AdaptiveMLP(2, num_layers=3, hidden_units=8, seed=1)
    >>> model.predict([0.5, -1.0])
    0.5
    >>> for _ in range(200):
    ...     model.learn([0.5, -1.0], 0.9)
    >>> round(model.predict([0.5, -1.0]), 2)
    0.9
    """

    def __init__(
        self,
        num_features: int,
        *,
        num_layers: int = 10,
        hidden_units: int = 64,
        eta: float = 0.01,
        beta: float | None = 0.99,
        seed: int = 0,
    ) -> None:
        for name, size in (
            ("num_features", num_features),
            ("num_layers", num_layers),
            ("hidden_units", hidden_units),
        ):
            if size < 1:
                raise InvalidInput(f"Expected {name} to be at least 1 but it was {size}")
        if not eta > 0:
            raise InvalidInput(f"Expected eta to be above 0 but it was {eta}")
        self._hedge = Hedge(np.full(num_layers, 1.0 / num_layers), beta=beta)
        rng = np.random.default_rng(seed)
        self.eta = eta
        self._first = first_weights(rng, num_layers, hidden_units, num_features)
        self._deeper = np.zeros((num_layers - 1, hidden_units, hidden_units + 1))
        for weights in self._deeper:
            weights[:, :-1] = deeper_weights(rng, hidden_units)
        self._output = np.zeros((num_layers, hidden_units + 1))
        self._output[:, -1] = INITIAL_OUTPUT / BIAS_INPUT
        self._allocate()

    @classmethod
    def paper(cls, num_features: int, seed: int = 0) -> AdaptiveMLP:
        """Create the paper's model (section 4.3): L = 10, 64 units, eta = 0.01, beta = 0.99."""
        return cls(num_features, num_layers=10, hidden_units=64, eta=0.01, beta=0.99, seed=seed)

    @property
    def num_features(self) -> int:
        """Length of a feature vector."""
        return int(self._first.shape[1]) - 1

    @property
    def num_layers(self) -> int:
        """Number of hidden layers, which is the number of depths that `alpha` weights."""
        return len(self._output)

    @property
    def alpha(self) -> Array:
        """Copy of the `(L,)` weights of the depths, at least 0 with sum 1."""
        return self._hedge.alpha.copy()

    @property
    def beta(self) -> float:
        """Discount of the hedge for the next observation."""
        return self._hedge.beta

    def predict(self, x: ArrayLike) -> Any:
        """Predict accuracies: `(d,)` -> float, `(n, d)` -> `(n,)`. They are not clipped to [0, 1].

        Raises:
            InvalidInput: `x` has another shape, or is not finite.
        """
        predicted = self.predict_depths(x) @ self._hedge.alpha
        return predicted if predicted.ndim else float(predicted)

    def predict_depths(self, x: ArrayLike) -> Array:
        """Return the predictions f_1 to f_L of all depths: `(d,)` -> `(L,)`, `(n, d)` -> `(n, L)`.

        Raises:
            InvalidInput: `x` has another shape, or is not finite.
        """
        rows, single = self._rows(x)
        outputs = np.empty((len(rows), self.num_layers))
        for start in range(0, len(rows), ROWS_PER_BLOCK):
            block = slice(start, start + ROWS_PER_BLOCK)
            self._fill_depths(rows[block], outputs[block])
        return outputs[0] if single else outputs

    def learn(self, x: ArrayLike, y: ArrayLike) -> None:
        """Learn one observation, `(d,)` and a number, or `n` in order, `(n, d)` and `(n,)`.

        Raises:
            InvalidInput: shapes do not match, or a value is not finite; nothing is learned then.
        """
        rows, single = self._rows(x)
        shape = () if single else (len(rows),)
        targets = np.asarray(y, dtype=np.float64)
        if targets.shape != shape:
            raise InvalidInput(
                f"Expected y to be an array with shape {shape} but it had shape {targets.shape}"
            )
        if not np.isfinite(targets).all():
            raise InvalidInput("Expected y to be finite but it has NaN or infinite values")
        for row, target in zip(rows, targets.reshape(-1).tolist(), strict=True):
            self._step(row, target)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the full state as arrays, from which `from_state` restores the same predictor."""
        return {
            "first": self._first.copy(),
            "deeper": self._deeper.copy(),
            "output": self._output.copy(),
            "alpha": self._hedge.alpha.copy(),
            "eta": np.array(self.eta),
            "beta": np.array(math.nan if self._hedge.is_anytime else self._hedge.beta),
            "observations": np.array(self._hedge.rounds),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> AdaptiveMLP:
        """Restore a predictor from its `state()`.

        States with a fixed beta may lack `observations`: earlier versions did not count them.

        Raises:
            InvalidInput: an array is missing, or its shape does not match the others.
        """
        missing = {"first", "deeper", "output", "alpha", "eta", "beta"} - set(state)
        is_anytime = not missing and bool(np.isnan(state["beta"]))
        if is_anytime and "observations" not in state:
            missing = {"observations"}
        if missing:
            raise InvalidInput(f"Expected a predictor state but it has no {sorted(missing)}")
        num_layers, width = state["output"].shape
        model = cls(
            state["first"].shape[1] - 1,
            num_layers=num_layers,
            hidden_units=width - 1,
            eta=float(state["eta"]),
            beta=None if is_anytime else float(state["beta"]),
        )
        own_arrays = {
            "first": model._first,
            "deeper": model._deeper,
            "output": model._output,
            "alpha": model.alpha,
        }
        for name, own in own_arrays.items():
            if state[name].shape != own.shape:
                raise InvalidInput(
                    f"Expected {name} to be an array with shape {own.shape} but it had shape "
                    f"{state[name].shape}"
                )
            own[...] = state[name]
        model._hedge = Hedge(
            state["alpha"],
            beta=None if is_anytime else float(state["beta"]),
            rounds=int(state.get("observations", np.array(0))),
        )
        return model

    def _allocate(self) -> None:
        """Allocate the buffers that every step reuses."""
        num_layers, width = self._output.shape
        self._x = np.full(self._first.shape[1], BIAS_INPUT)
        self._hidden = np.full((num_layers, width), BIAS_INPUT)
        self._slopes = np.empty((num_layers, width - 1))
        self._first_step = np.empty_like(self._first)
        self._deeper_step = np.empty_like(self._deeper)

    def _rows(self, x: ArrayLike) -> tuple[Array, bool]:
        rows = np.asarray(x, dtype=np.float64)
        single = rows.ndim == 1
        if rows.ndim not in (1, 2) or rows.shape[-1] != self.num_features:
            wanted = f"({self.num_features},)" if single else f"(n, {self.num_features})"
            raise InvalidInput(
                f"Expected x to be an array with shape {wanted} but it had shape {rows.shape}"
            )
        if not np.isfinite(rows).all():
            raise InvalidInput("Expected x to be finite but it has NaN or infinite values")
        return np.atleast_2d(rows), single

    def _fill_depths(self, rows: Array, outputs: Array) -> None:
        """Fill `(n, L)` outputs for `(n, d)` rows (Eq. 3)."""
        hidden = rows
        for layer, weights in enumerate((self._first, *self._deeper)):
            hidden = hidden @ weights[:, :-1].T
            hidden += BIAS_INPUT * weights[:, -1]
            np.maximum(hidden, 0.0, out=hidden)
            outputs[:, layer] = hidden @ self._output[layer, :-1]
        outputs += BIAS_INPUT * self._output[:, -1]

    def _step(self, x: Array, y: float) -> None:
        """Apply the updates of Eq. 4 for one observation."""
        self._forward(x)
        errors = np.einsum("lu,lu->l", self._output, self._hidden) - y
        # eta alpha_l d loss_l / d f_l, before alpha is updated.
        pulls = (2.0 * self.eta) * self._hedge.alpha * errors
        self._backward(pulls)
        self._output -= pulls[:, None] * self._hidden
        np.multiply(self._slopes[0][:, None], self._x, out=self._first_step)
        self._first -= self._first_step
        np.multiply(self._slopes[1:, :, None], self._hidden[:-1, None, :], out=self._deeper_step)
        self._deeper -= self._deeper_step
        self._hedge.update(errors * errors)

    def _forward(self, x: Array) -> None:
        """Fill `_hidden` with h_1 .. h_L; the constant at the end of each is unchanged."""
        self._x[:-1] = x
        below = self._x
        for weights, hidden in zip((self._first, *self._deeper), self._hidden, strict=True):
            np.maximum(weights @ below, 0.0, out=hidden[:-1])
            below = hidden

    def _backward(self, pulls: Array) -> None:
        """Fill `_slopes`: eta sum_{j >= l} alpha_j d loss_j / d (Phi_l h_{l-1}) for every l."""
        active = self._hidden[:, :-1] > 0.0
        np.multiply(pulls[:, None], self._output[:, :-1], out=self._slopes)
        self._slopes[-1] *= active[-1]
        for layer in range(self.num_layers - 2, -1, -1):
            slopes = self._slopes[layer]
            slopes += self._slopes[layer + 1] @ self._deeper[layer, :, :-1]
            slopes *= active[layer]
