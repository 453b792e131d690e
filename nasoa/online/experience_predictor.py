"""What the predictor knows and how it chooses: the adaptive MLP, its errors, and the prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.online.encode import LAYOUT, FeatureEncoder
from nasoa.online.generator import blend, experience_weight, rank
from nasoa.online.interval import RunningInterval
from nasoa.online.predictor import AdaptiveMLP
from nasoa.online.prior import DefaultPrior
from nasoa.online.regime_table import tabulate
from nasoa.online.task_times import TaskTimes
from nasoa.records import Candidate, Experience, MetaFeatures, Regime

PREDICTOR_NAME = f"adaptive-mlp-{LAYOUT}"


class ExperiencePredictor:
    """Predicts accuracies and learns from finished fine-tunes.

    What it was not taught yet is judged by the prior: the prediction moves from the prior to the
    MLP as experiences come in (`experience_weight`).
    """

    def __init__(self, seed: int = 0) -> None:
        self._encoder = FeatureEncoder()
        self._prior = DefaultPrior()
        self._mlp = AdaptiveMLP(self._encoder.num_features, seed=seed)
        self._interval = RunningInterval()
        self.num_experiences = 0

    @property
    def alpha(self) -> NDArray[np.float64]:
        """`(L,)` weights of the MLP's depths."""
        return self._mlp.alpha

    @property
    def expert_weights(self) -> dict[str, float]:
        """What counts how much in a prediction, by name."""
        return {f"depth {depth}": float(w) for depth, w in enumerate(self.alpha, start=1)}

    def predict(self, experience: Experience) -> float:
        """The accuracy in [0, 1] that is predicted now for a regime that was tried."""
        table = tabulate(experience.task.meta_features, [experience.model], [experience.regime])
        weight = experience_weight(self.num_experiences)
        predicted = blend(table, self._mlp, self._prior, weight, self._encoder)
        return float(np.clip(predicted[0], 0.0, 1.0))

    def learn(self, experiences: Sequence[Experience]) -> None:
        """Predict, note the error, then learn: one experience after another."""
        for experience in experiences:
            self._interval.observe(self.predict(experience), experience.accuracy)
            self._mlp.learn(self._encoder.encode_experience(experience), experience.accuracy)
            self.num_experiences += 1

    def rank(
        self, candidates: Sequence[Regime], meta: MetaFeatures, times: TaskTimes, top: int
    ) -> list[Candidate]:
        """The `top` candidates by predicted accuracy (see `nasoa.online.generator.rank`)."""
        return rank(
            candidates,
            meta,
            self._mlp,
            self._prior,
            experience_weight(self.num_experiences),
            times=times,
            interval=self._interval,
            encoder=self._encoder,
            top=top,
        )

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything there is to keep; `from_state` gives an equal predictor back."""
        parts = {"mlp": self._mlp.state(), "interval": self._interval.state()}
        flat = {f"{part}.{name}": value for part, s in parts.items() for name, value in s.items()}
        return {**flat, "num_experiences": np.array(self.num_experiences)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[np.generic]]) -> ExperiencePredictor:
        """The predictor that `state()` was called on."""
        predictor = cls()
        predictor._mlp = AdaptiveMLP.from_state(_part(state, "mlp"))
        predictor._interval = RunningInterval.from_state(_part(state, "interval"))
        predictor.num_experiences = int(state["num_experiences"])
        return predictor


def _part(state: Mapping[str, NDArray[np.generic]], name: str) -> dict[str, NDArray[np.generic]]:
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
