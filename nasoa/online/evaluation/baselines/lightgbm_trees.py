"""LightGBM, refitted on a schedule: a baseline that requires the extra `benchmarks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from nasoa.online.evaluation.baselines.refitted import RefittedPredictor
from nasoa.online.mixture.layout import Array, State

SETTING = {
    "objective": "l2",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "min_data_in_leaf": 5,
    # The defaults suit millions of rows: categories with fewer than 100 rows would not be split.
    "min_data_in_bin": 1,
    "min_data_per_group": 5,
    "cat_smooth": 2.0,
    "cat_l2": 2.0,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 300


class LightGBM:
    """A LightGBM booster with predictions in float64."""

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster

    def predict(self, columns: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""
        return np.asarray(self._booster.predict(columns, num_threads=1), dtype=np.float64)

    def state(self) -> State:
        """Return LightGBM's text serialisation of the model, as bytes."""
        text = self._booster.model_to_string().encode()
        return {"text": np.frombuffer(text, dtype=np.uint8).copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> LightGBM:
        """Restore a booster from its `state()`."""
        return cls(lightgbm.Booster(model_str=state["text"].tobytes().decode()))


class LightGBMPredictor(RefittedPredictor):
    """LightGBM with 300 rounds, learning rate 0.05, 31 leaves, and native categories."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> LightGBM:
        data = lightgbm.Dataset(
            rows, targets, categorical_feature=list(self.layout.categories), free_raw_data=True
        )
        return LightGBM(lightgbm.train({**SETTING, "seed": seed}, data, ROUNDS))

    def _restored(self, state: State) -> LightGBM:
        return LightGBM.from_state(state)
