"""TPE (Bergstra et al. 2011) with Hyperband's pruner, as Optuna has them."""

from __future__ import annotations

import numpy as np
import optuna
from optuna.trial import TrialState

from benchmarks.final.hpo import FRACTIONS, MOST_REFUSED, REDUCTION, Trial
from benchmarks.final.space import SearchSpace
from nasoa.records import Regime

# The unit of resources is the smallest fraction.
RESOURCES = tuple(round(fraction / FRACTIONS[0]) for fraction in FRACTIONS)


class TpeSearch:
    """Optuna's sampler and pruner over a space.

    Args:
        space: what to search.
        seed: random seed.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = space
        self._rng = np.random.default_rng([seed, len(space), 2])
        self._pruner = optuna.pruners.HyperbandPruner(
            min_resource=RESOURCES[0], max_resource=RESOURCES[-1], reduction_factor=REDUCTION
        )
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=self._pruner,
            study_name=f"seed {seed}",  # the pruner distributes trials over brackets by this name
        )
        self._trial: optuna.Trial | None = None
        self._configuration: Regime | None = None
        self._rung = 0

    def ask(self) -> Trial:
        """Return a new configuration at its bracket's first rung, or the last one at the next."""
        if self._configuration is None:
            self._configuration = self._suggest()
        return Trial(self._configuration, FRACTIONS[self._rung])

    def tell(self, val_accuracy: float) -> None:
        """Receive the result of the last fine-tune, which decides whether it is promoted."""
        assert self._trial is not None
        self._trial.report(val_accuracy, RESOURCES[self._rung])
        if self._rung == len(FRACTIONS) - 1:
            self._study.tell(self._trial, val_accuracy)
        elif self._trial.should_prune():
            self._study.tell(self._trial, state=TrialState.PRUNED)
        else:
            self._rung += 1
            return
        self._configuration = None

    def _suggest(self) -> Regime:
        """Begin a trial with a suggestion that fits the limit, or else a random configuration.

        A failed trial teaches the sampler nothing.
        """
        for refused in range(MOST_REFUSED + 1):
            if refused == MOST_REFUSED:
                self._study.enqueue_trial(self._space.sample(self._rng))
            self._trial = self._study.ask()
            found = self._space.configuration(self._point(self._trial))
            if found is not None:
                self._rung = self._first_rung(self._trial)
                return found
            self._study.tell(self._trial, state=TrialState.FAIL)
        raise AssertionError("a sampled point fits the limit")

    def _point(self, trial: optuna.Trial) -> dict[str, int]:
        return {
            axis.name: trial.suggest_int(axis.name, 0, axis.count - 1)
            if axis.is_ordered
            else trial.suggest_categorical(axis.name, range(axis.count))
            for axis in self._space.axes
        }

    def _first_rung(self, trial: optuna.Trial) -> int:
        """Return the first rung at which a trial's bracket prunes.

        Optuna means one training that is watched at every rung, so it does not tell the bracket.
        Here every rung is a fine-tune of its own, and one at which nothing is decided is a waste.
        """
        frozen = self._study.get_trials(deepcopy=False)[trial.number]
        self._pruner.prune(self._study, frozen)  # the first call makes the brackets
        bracket: int = self._pruner._get_bracket_id(self._study, frozen)
        return bracket
