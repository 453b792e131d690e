"""BOHB (Falkner et al. 2018) as Syne Tune has it, with the settings of appendix 9.

The paper used HpBandSter, which was last released in 2018 and needs a compiler to install. Syne
Tune's density estimator is HpBandSter's; its halving is asynchronous, which for one worker means
that a configuration is promoted as soon as it is among the best half of its rung.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial as SyneTrial
from syne_tune.config_space import uniform
from syne_tune.optimizer.baselines import BOHB
from syne_tune.optimizer.scheduler import SchedulerDecision

from benchmarks.final.hpo import (
    FRACTIONS,
    MOST_REFUSED,
    PERCENT_GOOD,
    RANDOM_FRACTION,
    REDUCTION,
    Trial,
)
from benchmarks.final.space import SearchSpace
from nasoa.records import Regime

PERCENTS = tuple(round(100 * fraction) for fraction in FRACTIONS)


class BohbSearch:
    """BOHB over a space.

    Args:
        space: what to search.
        seed: random seed.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng([seed, len(space), 1])
        self._draws = _global_state(seed)
        # It warns that no first points were given.
        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        self._scheduler: Any = BOHB(
            config_space={
                # Integers are rounded up when they are read back, and the density of categories is
                # infinite where all good ones have the same; fractions have neither fault.
                axis.name: uniform(0.0, 1.0)
                for axis in space.axes
            },
            metric="val_accuracy",
            time_attr="percent",
            do_minimize=False,
            max_t=PERCENTS[-1],
            grace_period=PERCENTS[0],
            reduction_factor=REDUCTION,
            random_fraction=RANDOM_FRACTION,
            top_n_percent=PERCENT_GOOD,
            # As HpBandSter; with fewer, the model would not be used before the 60th observation.
            num_min_data_points=len(space.axes) + 1,
            random_seed=seed,
        )
        self._trial: SyneTrial | None = None
        self._configuration: Regime | None = None
        self._number = 0
        self._rung = 0

    def ask(self) -> Trial:
        """Return a new configuration at the lowest rung, or the last one at the next rung."""
        if self._configuration is None:
            self._configuration = self._suggest()
        return Trial(self._configuration, FRACTIONS[self._rung])

    def tell(self, val_accuracy: float) -> None:
        """Receive the result of the last fine-tune, which decides whether it is promoted."""
        result = {"val_accuracy": val_accuracy, "percent": PERCENTS[self._rung]}
        is_stopped = self._scheduler.on_trial_result(self._trial, result) == SchedulerDecision.STOP
        if is_stopped or self._rung == len(FRACTIONS) - 1:
            self._scheduler.on_trial_remove(self._trial)
            self._configuration, self._rung = None, 0
        else:
            self._rung += 1

    def _suggest(self) -> Regime:
        """Begin a trial with a suggestion that fits the limit, or else a random configuration."""
        point = self._space.sample(self._rng)
        with self._own_global_state():
            for _ in range(MOST_REFUSED):
                suggested = self._point(self._scheduler.suggest().config)
                if self._space.configuration(suggested) is not None:
                    point = suggested
                    break
            values = {axis.name: (point[axis.name] + 0.5) / axis.count for axis in self._space.axes}
            self._trial = SyneTrial(self._number, values, datetime.now())
            self._scheduler.on_trial_add(self._trial)
        self._number += 1
        found = self._space.configuration(point)
        assert found is not None
        return found

    def _point(self, suggested: dict[str, Any]) -> dict[str, int]:
        return {
            axis.name: min(int(suggested[axis.name] * axis.count), axis.count - 1)
            for axis in self._space.axes
        }

    @contextmanager
    def _own_global_state(self) -> Iterator[None]:
        """Let Syne Tune, which samples from NumPy's global generator, use one of this search."""
        others = np.random.get_state()  # noqa: NPY002
        np.random.set_state(self._draws)  # noqa: NPY002
        try:
            with warnings.catch_warnings():
                # statsmodels announces that its default generator will change.
                warnings.simplefilter("ignore", FutureWarning)
                yield
        finally:
            self._draws = np.random.get_state()  # noqa: NPY002
            np.random.set_state(others)  # noqa: NPY002


def _global_state(seed: int) -> Any:
    return np.random.RandomState(seed).get_state()
