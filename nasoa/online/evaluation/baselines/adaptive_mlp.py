"""The paper's predictor and MLPs of fixed depth on encoded rows."""

from __future__ import annotations

from typing import Self

import numpy as np

from nasoa.online.adaptive_mlp.adaptive_mlp import AdaptiveMLP
from nasoa.online.evaluation.baselines.encoded import EncodedPredictor
from nasoa.online.mixture.history import History
from nasoa.online.mixture.layout import Array, Layout, State
from nasoa.online.mixture.protocol import UNKNOWN


class MLPPredictor(EncodedPredictor):
    """`AdaptiveMLP` (Eq. 3 and 4); the paper's setting by default.

    Args:
        layout: layout of the rows.
        num_layers: number of hidden layers; 10 in the paper.
        eta: learning rate; 0.01 in the paper.
        is_adaptive: whether alpha weights the depths. If False, only the deepest output predicts
            and learns: a plain MLP as in Table 3.
        seed: random seed for the initial weights.
        history: see `HistoryPredictor`.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        num_layers: int = 10,
        eta: float = 0.01,
        is_adaptive: bool = True,
        seed: int = 0,
        history: History | None = None,
    ) -> None:
        self.num_layers = num_layers
        self.eta = eta
        self.is_adaptive = is_adaptive
        super().__init__(layout, seed=seed, history=history)

    def _fresh(self, width: int) -> AdaptiveMLP:
        model = AdaptiveMLP(max(width, 1), num_layers=self.num_layers, eta=self.eta, seed=self.seed)
        if self.is_adaptive:
            return model
        # The updates of alpha are multiplicative, so weights of 0 stay 0.
        deepest = np.zeros(self.num_layers)
        deepest[-1] = 1.0
        return AdaptiveMLP.from_state({**model.state(), "alpha": deepest})

    def _restored(self, state: State) -> AdaptiveMLP:
        return AdaptiveMLP.from_state(state)

    def _inputs(self, rows: Array) -> Array:
        columns = self._encoding.encode(rows)
        return columns if columns.shape[1] else np.zeros((len(rows), 1))

    def _predict(self, rows: Array) -> Array:
        predicted = super()._predict(rows)
        # A deep plain MLP diverges if steps are too large; its predictions are then uninformative.
        return np.nan_to_num(predicted, nan=UNKNOWN)

    def _settings(self) -> State:
        return {"setting": np.array([self.num_layers, self.eta, self.is_adaptive])}

    @classmethod
    def _from_settings(cls, layout: Layout, seed: int, history: History, settings: State) -> Self:
        num_layers, eta, is_adaptive = settings["setting"].tolist()
        return cls(
            layout,
            num_layers=int(num_layers),
            eta=eta,
            is_adaptive=bool(is_adaptive),
            seed=seed,
            history=history,
        )
