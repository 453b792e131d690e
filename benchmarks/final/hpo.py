"""Hyperparameter optimisation: one fine-tune after another until a budget is spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.final.space import SearchSpace
from nasoa.records import Regime

Row = dict[str, Any]

# Appendix 9: 30 % of BOHB's configurations are random, 15 % of its observations count as good, and
# fine-tunes get 25 to 100 % of the limit. It names no reduction factor: by 2, the fractions from
# 25 % on end at 100 %.
RANDOM_FRACTION = 0.3
PERCENT_GOOD = 15
REDUCTION = 2
FRACTIONS = (0.25, 0.5, 1.0)
# Suggestions that do not fit the limit are passed over; after so many in a row, one is sampled.
MOST_REFUSED = 50


@dataclass(frozen=True)
class Trial:
    """A fine-tune that a search asks for: a configuration at a fraction of the limit."""

    configuration: Regime
    fraction: float = 1.0


class Search(Protocol):
    """A method of hyperparameter optimisation; `ask` and `tell` are called in turn."""

    def ask(self) -> Trial | None:
        """Return the next fine-tune; None if there is nothing left to try."""

    def tell(self, val_accuracy: float) -> None:
        """Receive the validation accuracy of the fine-tune that was asked for last."""


class RandomSearch:
    """Configurations sampled at random, none of them twice, each for the whole limit.

    Args:
        space: what to sample from.
        seed: random seed.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng([seed, len(space)])
        self._tried: set[Regime] = set()

    def ask(self) -> Trial | None:
        """Return the next fine-tune; None if every configuration was tried."""
        while len(self._tried) < len(self._space):
            configuration = self._space.configuration(self._space.sample(self._rng))
            if configuration is not None and configuration not in self._tried:
                self._tried.add(configuration)
                return Trial(configuration)
        return None

    def tell(self, val_accuracy: float) -> None:
        """Do nothing: random search does not learn."""


def run_search(search: Search, budget_s: float, make: Callable[[int, Trial], Row]) -> int:
    """Run a search until its fine-tunes have taken a budget; return their number.

    The last one may end after the budget. The summary counts only those that end within it.

    Args:
        search: the method.
        budget_s: seconds on the step clock.
        make: returns the finished fine-tune with this number, with `val_accuracy` and `elapsed_s`.
    """
    spent_s, number = 0.0, 0
    while spent_s < budget_s:
        trial = search.ask()
        if trial is None:
            break
        row = make(number, trial)
        search.tell(row["val_accuracy"])
        spent_s += row["elapsed_s"]
        number += 1
    return number
