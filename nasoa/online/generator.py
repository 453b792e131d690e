"""The schedule generator `G(D, T_l)` of Eq. 2: regimes that fit a time limit, best first.

Candidates come by chance (algorithm 3) or from the whole grid (section 3.2.2), each with the most
iterations that fit; what does not fit is not offered. They are ranked by predicted accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.online.encode import FeatureEncoder
from nasoa.online.interval import RunningInterval
from nasoa.online.predictor import AdaptiveMLP
from nasoa.online.prior import Prior
from nasoa.online.regime_space import Configuration, RegimeSpace
from nasoa.online.regime_table import RegimeTable, tabulate
from nasoa.online.task_times import TaskTimes, TimeModel
from nasoa.records import Candidate, MetaFeatures, Regime

__all__ = [
    "TaskTimes",
    "TimeModel",
    "blend",
    "experience_weight",
    "grid_candidates",
    "random_candidates",
    "rank",
]

LEAST_ITERATIONS = 10
HALF_TRUST_EXPERIENCES = 100.0


def random_candidates(
    space: RegimeSpace,
    times: TaskTimes,
    *,
    budget_s: float,
    num_configurations: int,
    rng: np.random.Generator,
    spent_s: float = 0.0,
) -> list[Regime]:
    """Configurations by chance, each with the most iterations that fit (algorithm 3).

    Departures: configurations that do not fit, or that came before, are left out, so there may be
    fewer than `num_configurations` (the paper's H); and if none of them fits, though others would,
    those of the whole grid are given.

    Args:
        space: what to choose from.
        times: of this task, with its zoo.
        budget_s: seconds that are left for the fine-tune.
        num_configurations: how many are drawn.
        rng: draws them.
        spent_s: seconds of the limit already spent; only for the error's text.

    Raises:
        TimeLimitError: nothing fits; says the shortest limit that works.
    """
    if num_configurations < 1:
        raise InvalidInput(
            f"Expected num_configurations to be at least 1 but it was {num_configurations}"
        )
    drawn = dict.fromkeys(space.sample(rng, times.zoo) for _ in range(num_configurations))
    fitting = _fitting(drawn, times, budget_s, space.max_epochs)
    return fitting or grid_candidates(space, times, budget_s=budget_s, spent_s=spent_s)


def grid_candidates(
    space: RegimeSpace, times: TaskTimes, *, budget_s: float, spent_s: float = 0.0
) -> list[Regime]:
    """Every configuration with the most iterations that fit (section 3.2.2).

    Arguments and errors are those of `random_candidates`.
    """
    configurations = list(space.grid(times.zoo))
    if not configurations:
        raise InvalidInput("Expected a zoo with at least one model but it is empty")
    fitting = _fitting(configurations, times, budget_s, space.max_epochs)
    if not fitting:
        costs = (times.cost_s(configuration) for configuration in configurations)
        shortest_s = spent_s + min(fixed + LEAST_ITERATIONS * step for fixed, step in costs)
        raise TimeLimitError(
            f"expected a time limit of at least {math.ceil(10 * shortest_s) / 10:.1f} s for this "
            f"data on this machine, but {budget_s + spent_s:.1f} s came; give more time or less "
            "data"
        )
    return fitting


def experience_weight(
    num_experiences: int, half_trust_experiences: float = HALF_TRUST_EXPERIENCES
) -> float:
    """`n / (n + n0)`: what the predictor counts for beside the prior, from 0 towards 1.

    At n0 = 100 experiences both count the same; with few, the predictor knows little but the mean.
    The number is a judgement, not tuned.
    """
    return num_experiences / (num_experiences + half_trust_experiences)


def rank(
    candidates: Sequence[Regime],
    meta: MetaFeatures,
    predictor: AdaptiveMLP,
    prior: Prior,
    weight: float,
    *,
    times: TaskTimes,
    interval: RunningInterval,
    encoder: FeatureEncoder | None = None,
    top: int | None = None,
) -> list[Candidate]:
    """Candidates by predicted accuracy, best first; of equal ones the quicker first.

    Predicted accuracy is `weight * predictor + (1 - weight) * prior`, cut to [0, 1] after sorting.

    Args:
        candidates: regimes of models in `times.zoo`.
        meta: of the task.
        predictor: of as many features as `encoder` gives.
        prior: counts where there is little experience.
        weight: in [0, 1], as `experience_weight` gives it.
        times: of this task, with its zoo.
        interval: around the predictions.
        encoder: the default layout unless another is given.
        top: at most so many are returned.
    """
    if not 0.0 <= weight <= 1.0:
        raise InvalidInput(f"Expected weight to be from 0 to 1 but it was {weight}")
    if not candidates:
        return []
    table = tabulate(meta, [times.zoo[regime.model] for regime in candidates], candidates)
    accuracies = blend(table, predictor, prior, weight, encoder or FeatureEncoder())
    seconds = np.array([times.predicted_s(regime) for regime in candidates])
    order = np.lexsort((seconds, -accuracies))[:top]
    best = np.clip(accuracies[order], 0.0, 1.0)
    lows, highs = interval.around(best)
    return [
        Candidate(
            regime=candidates[index],
            predicted_accuracy=accuracy,
            interval=(low, high),
            predicted_s=predicted_s,
        )
        for index, accuracy, low, high, predicted_s in zip(
            order.tolist(),
            best.tolist(),
            lows.tolist(),
            highs.tolist(),
            seconds[order].tolist(),
            strict=True,
        )
    ]


def blend(
    table: RegimeTable,
    predictor: AdaptiveMLP,
    prior: Prior,
    weight: float,
    encoder: FeatureEncoder,
) -> NDArray[np.float64]:
    """`(n,)` accuracies, `weight * predictor + (1 - weight) * prior`; not cut to [0, 1]."""
    accuracies = (1.0 - weight) * prior.predict_table(table)
    if weight > 0.0:
        accuracies += weight * predictor.predict(encoder.encode_table(table))
    return accuracies


def _fitting(
    configurations: Iterable[Configuration], times: TaskTimes, budget_s: float, max_epochs: float
) -> list[Regime]:
    regimes = []
    for configuration in configurations:
        fitting = times.largest_iterations(configuration, budget_s)
        most = max(LEAST_ITERATIONS, times.epochs_to_iterations(configuration, max_epochs))
        if fitting >= LEAST_ITERATIONS:
            regimes.append(configuration.regime(min(fitting, most), fills_limit=fitting <= most))
    return regimes
