"""A search as a function of its configuration and its evaluations: Algorithms 1 and 2.

Nothing here keeps state. The next generation follows from the existing generations and evaluations,
so a search that was killed resumes where it was, and two that run at once arrive at the same next
step.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.arch import ArchSpec, parse
from nasoa.config import EvaluateConfig
from nasoa.errors import InvalidInput
from nasoa.offline.canonical import canonical
from nasoa.offline.front import WORST_ERROR, front, objectives, successful
from nasoa.offline.nsga2 import NSGA2, Preselection
from nasoa.offline.pareto import hypervolume
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.records import Evaluation, to_json

Array = NDArray[np.float64]

MOST_POOL = 100  # candidates for each evaluation: their costs are counted, ten milliseconds each


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """What is searched and how; exactly one of `block` and `macro` is set.

    Args:
        block: the space of a block search.
        macro: the space of a macro search.
        data: DATA of the proxy.
        evaluate: how an architecture is evaluated.
        num_children: architectures per generation: the computation nodes N of Algorithm 1.
        num_random: architectures that are sampled before evolution begins (7.3); at least those of
            the first generation.
        max_step_time_ms: Tm of Eq. 1; 0 means no limit.
        epsilon: the sensitive factor of Algorithm 2 for step time in ms and accuracy, used to
            choose parents, models of the zoo and common cells (see `NSGA2`).
        pool: candidates drawn for each one that is evaluated; of them, those that a surrogate
            expects to improve the front are evaluated (`nasoa.offline.surrogate`). 1 means none.
        seed: seed of all random decisions.
    """

    block: BlockSpace | None = None
    macro: MacroSpace | None = None
    data: str
    evaluate: EvaluateConfig
    num_children: int = 16
    num_random: int = 0
    max_step_time_ms: float = 0.0
    epsilon: tuple[float, float] = (0.0, 0.0)
    pool: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.block is None) == (self.macro is None):
            raise InvalidInput("expected either a block space or a macro space")
        if self.num_children < 1:
            raise InvalidInput(f"expected num_children to be at least 1, got {self.num_children}")
        if self.num_random < 0:
            raise InvalidInput(f"expected num_random to be 0 or more, got {self.num_random}")
        if not all(math.isfinite(value) and value >= 0 for value in self.epsilon):
            raise InvalidInput(f"expected epsilon to be 0 or more, got {self.epsilon}")
        if not 1 <= self.pool <= MOST_POOL:
            raise InvalidInput(f"expected a pool of 1 to {MOST_POOL}, got {self.pool}")
        if self.seed < 0:
            raise InvalidInput(f"expected a seed of 0 or more, got {self.seed}")
        if not self.max_step_time_ms >= 0:
            raise InvalidInput(
                f"expected max_step_time_ms to be 0 or more, got {self.max_step_time_ms:g}"
            )

    @property
    def space(self) -> BlockSpace | MacroSpace:
        """The space that is searched."""
        space = self.block or self.macro
        assert space is not None
        return space

    @property
    def hash(self) -> str:
        """Hash that identifies this configuration in records."""
        return hashlib.sha256(to_json(self)).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class StopCriterion:
    """When a search ends: the stop criterion of Algorithm 1.

    It is not part of a search's configuration, so a search that has ended can continue with a
    larger budget.

    Args:
        max_evaluations: number of architectures after which the search ends.
        patience: number of generations without a change of the front after which it ends; 0 means
            never.
    """

    max_evaluations: int = 400
    patience: int = 0

    def __post_init__(self) -> None:
        if self.max_evaluations < 1:
            raise InvalidInput(
                f"expected max_evaluations to be at least 1, got {self.max_evaluations}"
            )
        if self.patience < 0:
            raise InvalidInput(f"expected patience to be 0 or more, got {self.patience}")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to evaluate now.

    `architectures` are the encodings of `generation` that have no evaluation yet; empty if the
    search has ended, for the reason in `ended`.
    """

    generation: int
    architectures: tuple[str, ...]
    is_new: bool
    ended: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of the front after a generation."""

    generation: int
    evaluated: int
    failed: int
    front_size: int
    hypervolume: float


def architecture_hash(spec: ArchSpec) -> str:
    """Return a hash that identifies an architecture, the same for all its encodings."""
    return hashlib.sha256(str(canonical(spec)).encode()).hexdigest()[:16]


def difference(one: object, other: object, path: str = "") -> str:
    """Return the first field in which two configurations differ, with both values; "" if none."""
    if is_dataclass(one) and is_dataclass(other) and type(one) is type(other):
        found = (
            difference(getattr(one, f.name), getattr(other, f.name), f"{path}.{f.name}".strip("."))
            for f in fields(one)
        )
        return next(filter(None, found), "")
    return "" if one == other else f"{path} ({one!r} there, {other!r} here)"


def select(
    config: SearchConfig,
    stop: StopCriterion,
    generations: Sequence[Sequence[str]],
    evaluations: Mapping[str, Evaluation],
) -> Selection:
    """Select the next architectures to evaluate.

    Args:
        config: configuration of the search.
        stop: when the search ends.
        generations: the encodings of each generation so far, in order.
        evaluations: evaluations by encoding.
    """
    number = len(generations)
    if generations:
        open_ones = tuple(text for text in generations[-1] if text not in evaluations)
        if open_ones:
            return Selection(generation=number, architectures=open_ones, is_new=False)
    asked = [text for generation in generations for text in generation]
    left = stop.max_evaluations - len(asked)
    ended = ""
    if left <= 0:
        ended = f"the budget of {stop.max_evaluations} evaluations is used up"
    elif stop.patience and _stands_still(stop.patience, generations, evaluations):
        ended = f"the front has not moved for {stop.patience} generations"
    if ended:
        return Selection(generation=number, architectures=(), is_new=False, ended=ended)
    nsga2 = algorithm(config, asked, evaluations)
    children = tuple(str(spec) for spec in nsga2.ask())
    fresh = tuple(dict.fromkeys(text for text in children if text not in evaluations))[:left]
    if not fresh:
        return Selection(
            generation=number, architectures=(), is_new=False, ended="the space is exhausted"
        )
    return Selection(generation=number + 1, architectures=fresh, is_new=True)


def algorithm(
    config: SearchConfig, asked: Sequence[str], evaluations: Mapping[str, Evaluation]
) -> NSGA2[ArchSpec]:
    """Return the evolutionary algorithm after telling it all evaluations."""
    limit = config.max_step_time_ms or np.inf
    nsga2: NSGA2[ArchSpec] = NSGA2(
        config.space,
        num_children=config.num_children,
        num_random=config.num_random,
        seed=config.seed,
        epsilon=config.epsilon,
        upper_limits=(limit, np.inf),
        preselection=_preselection(config, asked, evaluations),
    )
    told = [text for text in asked if text in evaluations]
    rows = np.array([objectives(evaluations[text]) for text in told]).reshape(len(told), 2)
    nsga2.tell([parse(text) for text in told], rows)
    return nsga2


def _preselection(
    config: SearchConfig, asked: Sequence[str], evaluations: Mapping[str, Evaluation]
) -> Preselection[ArchSpec] | None:
    """Return the choice of candidates by a surrogate; None if the search has none."""
    if config.pool == 1:
        return None
    from nasoa.offline.surrogate import Surrogate  # noqa: PLC0415  (scikit-learn: a second)

    known = [evaluations[text] for text in asked if text in evaluations]
    surrogate = Surrogate(known, limit_ms=config.max_step_time_ms, seed=config.seed)
    return Preselection(config.pool, surrogate.choose)


def progress(
    config: SearchConfig,
    generations: Sequence[Sequence[str]],
    evaluations: Mapping[str, Evaluation],
) -> list[Progress]:
    """Return the front after each generation and its hypervolume up to error 1 and the limit Tm.

    Without a limit, the slowest architecture of all gives the reference.
    """
    _good, points = successful(list(evaluations.values()))
    slowest = config.max_step_time_ms or (float(points[:, 0].max()) if len(points) else 1.0)
    rows, members, evaluated, failed = [], list[Evaluation](), 0, 0
    for number, generation in enumerate(generations, start=1):
        new = [evaluations[text] for text in generation if text in evaluations]
        evaluated += len(new)
        failed += sum(bool(e.failure) for e in new)
        # What an earlier front dominates never comes back, so only its members are compared again.
        members = front([*members, *new])
        reached = np.array([objectives(e) for e in members]).reshape(len(members), 2)
        share = hypervolume(reached, (slowest, WORST_ERROR)) / (slowest * WORST_ERROR)
        rows.append(
            Progress(
                generation=number,
                evaluated=evaluated,
                failed=failed,
                front_size=len(members),
                hypervolume=share,
            )
        )
    return rows


def _stands_still(
    patience: int, generations: Sequence[Sequence[str]], evaluations: Mapping[str, Evaluation]
) -> bool:
    if len(generations) <= patience:
        return False
    newest = {text for generation in generations[-patience:] for text in generation}
    members = front(list(evaluations.values()))
    return not any(evaluation.encoding in newest for evaluation in members)
