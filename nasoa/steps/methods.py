"""Methods of choosing a regime: nasoa's default, and the paper's Algorithm 3 unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nasoa.errors import InvalidInput, UnknownName
from nasoa.online.choice.paper_choice import NUM_CONFIGURATIONS, best_of_random
from nasoa.online.choice.ranking import Ranker, Ranking
from nasoa.online.collecting.starter import PAPER_STATE, STATE, starter_state
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME, ExperiencePredictor
from nasoa.online.predictor.paper_predictor import PAPER_PREDICTOR_NAME, PaperPredictor
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates, random_candidates
from nasoa.online.regimes.tabulate import for_task
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.online.task.task_name import task_name
from nasoa.records import Experience, Task
from nasoa.store.snapshots import State


class RegimePredictor(Protocol):
    """The predictor of a method: it predicts the accuracy of a regime, and learns from runs."""

    @property
    def expert_weights(self) -> dict[str, float]:
        """Weight of each expert, with sum 1; empty before anything is learned."""

    @property
    def fallback_reason(self) -> str:
        """Record in which it is worse than its fallback, which then decides; "" if in none."""

    @property
    def num_learned(self) -> int:
        """Number of runs that were learned."""

    num_experiences: int
    num_collected: int

    def predict(self, experience: Experience) -> float:
        """Return the current prediction, in [0, 1], for the regime of an experience."""

    def learn(self, experiences: Sequence[Experience]) -> None:
        """Learn experiences, one after another."""

    def state(self) -> State:
        """Return the complete state as arrays."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Everything that a method's choice depends on, besides its predictor.

    Args:
        times: durations of regimes for the task, with its zoo.
        budget: time that a regime has to fit into.
        task: the task, with its meta-features and probes.
        top: maximum number of candidates.
        explore: predicted accuracy that may be given up to try an informative candidate.
    """

    times: TaskTimes
    budget: Budget
    task: Task
    top: int
    explore: float


@dataclass(frozen=True)
class Method:
    """A method of choosing a regime.

    Args:
        name: name on the command line.
        predictor_name: name of its predictor in the store.
        probes: whether models are probed on the task.
        packaged: file with the state of its predictor after learning the packaged runs.
        restore: creates the predictor from a state.
        choose: ranks candidates with a predictor.
    """

    name: str
    predictor_name: str
    probes: bool
    packaged: Path
    restore: Callable[[State], RegimePredictor]
    choose: Callable[[Any, Choice], Ranking]

    def starting_state(self) -> State:
        """Return the state of the predictor that has learned the packaged runs.

        Raises:
            CorruptRecord: the packaged file is damaged.
        """
        return starter_state(self.packaged)


def _best_of_all(predictor: ExperiencePredictor, choice: Choice) -> Ranking:
    """Rank all regimes of the grid."""
    task, times = choice.task, choice.times
    candidates = grid_candidates(RegimeSpace.small(), times, choice.budget)
    ranker = Ranker(predictor, task.meta_features, task_name(task), times.zoo, task.probes)
    return ranker.rank(candidates, choice.top, explore=choice.explore)


def _best_of_random(predictor: PaperPredictor, choice: Choice) -> Ranking:
    """Rank H random configurations, each with the most iterations that fit (Algorithm 3)."""
    if choice.explore:
        raise InvalidInput(
            "expected no --explore with --method paper, which does not explore; leave it out"
        )
    candidates = random_candidates(
        RegimeSpace.small(),
        choice.times,
        replace(choice.budget, only_longest=True),
        num_configurations=NUM_CONFIGURATIONS,
        rng=np.random.default_rng(choice.task.seed),
    )
    meta, name = choice.task.meta_features, task_name(choice.task)
    table = for_task(candidates, meta, name, choice.times.zoo)
    return best_of_random(predictor, table, choice.top)


DEFAULT = Method(
    "default",
    PREDICTOR_NAME,
    probes=True,
    packaged=STATE,
    restore=ExperiencePredictor.from_state,
    choose=_best_of_all,
)
PAPER = Method(
    "paper",
    PAPER_PREDICTOR_NAME,
    probes=False,
    packaged=PAPER_STATE,
    restore=PaperPredictor.from_state,
    choose=_best_of_random,
)
METHODS = {method.name: method for method in (DEFAULT, PAPER)}


def method_named(name: str) -> Method:
    """Return the method of a name.

    Raises:
        UnknownName: there is no such method.
    """
    if name not in METHODS:
        raise UnknownName("method", name, METHODS)
    return METHODS[name]
