"""The schedule generator `G(D, T_l)` of Eq. 2: the regimes that fit a time limit.

Configurations are sampled (algorithm 3) or taken from the full grid (section 3.2.2). The paper
gives each the maximum number of iterations that fits. Differences from the paper:

- Shorter lengths are candidates too, at fractions of the time for training or, if there is time
  for the most epochs, of those: more updates are not always better, and a predictor can learn the
  effect of length only if lengths vary.
- Predicted times have an error. A training that fills the limit ends at the limit, however fast
  its steps are, and one of fixed length is cut short there: an error in the step time costs
  iterations, but the deadline is met. The fixed costs (caching features, validation, test, saving)
  and the minimum number of iterations must fit in any case: a configuration is not a candidate if
  these would exceed the budget with a probability above `miss_probability`. Times are assumed to
  be log-normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nasoa.duration import too_short
from nasoa.errors import InvalidInput
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.task_times import Costs, TaskTimes, TimeModel

__all__ = ["Budget", "TaskTimes", "TimeModel", "grid_candidates", "random_candidates"]

LEAST_ITERATIONS = 10
LEAST_HEAD_BATCHES = 2
# Lengths of a configuration's candidates, as fractions of the longest; the last only where there is
# time for the most epochs.
SHORT_FRACTIONS = (0.1, 0.025)
FRACTIONS = (1.0, 0.5, 0.25, *SHORT_FRACTIONS)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Time budget of a fine-tune.

    Args:
        seconds: seconds left for the fine-tune.
        spent_s: seconds of the limit already spent; used only in the error message.
        only_longest: whether the longest training of a configuration is its only candidate.
        miss_probability: maximum probability that a regime cannot end in time.
    """

    seconds: float
    spent_s: float = 0.0
    only_longest: bool = False
    miss_probability: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.miss_probability <= 0.5:
            raise InvalidInput(
                f"Expected miss_probability to be in (0, 0.5] but it was {self.miss_probability}"
            )

    def needed_s(self, costs: Costs, fewest: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return `(n,)` seconds needed for the fixed costs and the `(n,)` fewest iterations.

        They suffice with a probability of at least `1 - miss_probability`.
        """
        slack = np.exp(NormalDist().inv_cdf(1.0 - self.miss_probability) * costs.error)
        return np.asarray((costs.fixed_s + fewest * costs.step_s) * slack)


def random_candidates(
    space: RegimeSpace,
    times: TaskTimes,
    budget: Budget,
    *,
    num_configurations: int,
    rng: np.random.Generator,
) -> RunTable:
    """Sample configurations, each with the lengths that fit (algorithm 3).

    Differences from the paper: configurations that do not fit, and duplicates, are dropped, so
    there may be fewer than `num_configurations` (the paper's H). If none of the sampled
    configurations fits, those of the full grid that do are returned.

    Args:
        space: space of regimes to sample from.
        times: predicted times on this task, with its zoo.
        budget: time budget that candidates must fit.
        num_configurations: number of configurations to sample.
        rng: random generator.

    Raises:
        TimeLimitError: nothing fits; the message contains the shortest limit that works.
    """
    if num_configurations < 1:
        raise InvalidInput(
            f"Expected num_configurations to be at least 1 but it was {num_configurations}"
        )
    drawn = space.sample(rng, times.zoo, times.image_resolution, num_configurations).distinct()
    fitting = _fitting(drawn, times.costs(drawn), times, budget, space.max_epochs)
    return fitting if len(fitting) else grid_candidates(space, times, budget)


def grid_candidates(space: RegimeSpace, times: TaskTimes, budget: Budget) -> RunTable:
    """Return all configurations with the lengths that fit (section 3.2.2).

    Arguments and errors are those of `random_candidates`.
    """
    configurations = space.grid(times.zoo, times.image_resolution)
    if not len(configurations):
        raise InvalidInput("Expected a zoo with at least one model but it is empty")
    costs = times.costs(configurations)
    fitting = _fitting(configurations, costs, times, budget, space.max_epochs)
    if not len(fitting):
        fewest = _most_and_fewest(configurations, times, space.max_epochs)[1]
        shortest_s = budget.spent_s + float(budget.needed_s(costs, fewest).min())
        raise too_short(shortest_s, budget.seconds + budget.spent_s)
    return fitting


def _fitting(
    configurations: RunTable,
    costs: Costs,
    times: TaskTimes,
    budget: Budget,
    max_epochs: float,
) -> RunTable:
    """Return the candidates that fit: first the longest of each configuration, no length twice."""
    most, fewest = _most_and_fewest(configurations, times, max_epochs)
    indices = np.flatnonzero(budget.needed_s(costs, fewest) <= budget.seconds)
    kept, costs = configurations.take(indices), costs.take(indices)
    most, fewest = most[indices], fewest[indices]
    left_s = budget.seconds - costs.fixed_s
    chosen, lengths, fills = [], [], []
    shortest = np.full(len(kept), np.iinfo(np.int64).max)
    fitting = left_s / costs.step_s
    is_limited = np.floor(fitting) <= most
    longest = np.where(is_limited, fitting, most)
    for fraction in (1.0,) if budget.only_longest else FRACTIONS:
        iterations = np.floor(fraction * longest).astype(np.int64)
        # A fitted head benefits from every image, so it uses all, or as many as time allows.
        is_length = (fraction == 1.0) | ~kept.is_head
        if fraction in SHORT_FRACTIONS:
            is_length &= ~is_limited
        new = np.flatnonzero((iterations >= fewest) & (iterations < shortest) & is_length)
        chosen.append(new)
        lengths.append(iterations[new])
        fills.append(is_limited[new] & (fraction == 1.0))
        shortest = np.minimum(shortest, iterations)
    rows, iterations = np.concatenate(chosen), np.concatenate(lengths)
    return kept.take(rows).with_columns(
        iterations=iterations,
        fills_limit=np.concatenate(fills),
        predicted_s=costs.fixed_s[rows] + iterations * costs.step_s[rows],
    )


def _most_and_fewest(
    configurations: RunTable, times: TaskTimes, max_epochs: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the `(n,)` maximum useful and `(n,)` minimum required numbers of iterations.

    Iterations of a head-only regime are batches of images whose features the head is fitted to.
    """
    epochs = np.where(configurations.is_head, 1.0, max_epochs)
    passes = epochs * times.size.num_train / configurations.batch_size
    most = np.where(configurations.is_head, np.ceil(passes), np.floor(passes)).astype(np.int64)
    of_head = np.minimum(LEAST_HEAD_BATCHES, most)
    fewest = np.where(configurations.is_head, of_head, LEAST_ITERATIONS)
    return np.maximum(most, fewest), fewest
