"""How a regime is chosen: nasoa's own way, or the paper's (Algorithm 3) as it stands."""

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
    """What a method learns: it predicts the accuracy of a regime."""

    @property
    def expert_weights(self) -> dict[str, float]:
        """What each part counts for, sum 1; empty where nothing was learned."""

    @property
    def fallback_reason(self) -> str:
        """In what it was worse than what it falls back on; "" where it decides."""

    @property
    def num_learned(self) -> int:
        """Runs that were learned."""

    num_experiences: int
    num_collected: int

    def predict(self, experience: Experience) -> float:
        """The accuracy in [0, 1] that is predicted now for a regime that was tried."""

    def learn(self, experiences: Sequence[Experience]) -> None:
        """Learn one experience after another."""

    def state(self) -> State:
        """Everything there is to keep, as arrays."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a method chooses from and for.

    Args:
        times: of the task, with its zoo.
        budget: what must fit.
        task: with its meta-features and probes.
        top: the most candidates that are wanted.
        explore: accuracy that may be given up to learn.
    """

    times: TaskTimes
    budget: Budget
    task: Task
    top: int
    explore: float


@dataclass(frozen=True)
class Method:
    """A way to choose.

    Args:
        name: as the command line has it.
        predictor_name: under which versions of its predictor are kept.
        probes: whether models are probed on the task.
        packaged: the file with the state of the predictor that has learned the package's runs.
        restore: the predictor of a state.
        choose: ranks candidates by a predictor.
    """

    name: str
    predictor_name: str
    probes: bool
    packaged: Path
    restore: Callable[[State], RegimePredictor]
    choose: Callable[[Any, Choice], Ranking]

    def starting_state(self) -> State:
        """Of the predictor that has learned the package's runs.

        Raises:
            CorruptRecord: the package is damaged.
        """
        return starter_state(self.packaged)


def _best_of_all(predictor: ExperiencePredictor, choice: Choice) -> Ranking:
    """The best of the whole grid."""
    task, times = choice.task, choice.times
    candidates = grid_candidates(RegimeSpace.small(), times, choice.budget)
    ranker = Ranker(predictor, task.meta_features, task_name(task), times.zoo, task.probes)
    return ranker.rank(candidates, choice.top, explore=choice.explore)


def _best_of_random(predictor: PaperPredictor, choice: Choice) -> Ranking:
    """The best of H random configurations, each with the most iterations that fit."""
    if choice.explore:
        raise InvalidInput(
            "expected no exploration with method paper, which has none; leave out --explore"
        )
    candidates = random_candidates(
        RegimeSpace.small(),
        choice.times,
        replace(choice.budget, fractions=(1.0,)),
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
    """The method of a name.

    Raises:
        UnknownName: there is none.
    """
    if name not in METHODS:
        raise UnknownName("method", name, METHODS)
    return METHODS[name]
