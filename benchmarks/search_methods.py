"""Ways to search, and the loop in which each spends a budget of core-seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2 as PymooNSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from nasoa.offline import NSGA2
from nasoa.offline.nsga2 import Preselection
from nasoa.offline.pareto import non_dominated_rank, survive
from nasoa.offline.surrogate import Surrogate, encode
from nasoa.records import ArchCosts, Evaluation

Candidate = Any  # an `ArchSpec`, or the genes of a synthetic network

CHILDREN, POOL = 8, 4
SCORES = ("synflow", "naswot", "jacobian")
STALLED = 200  # generations in a row that bring nothing new end a search
PYMOO_WORST = (1e6, 1.0)


@dataclass(frozen=True)
class Result:
    """What an evaluation gives: `(2,)` objectives, infinite if not trained, and its cost."""

    objectives: tuple[float, float]
    core_s: float


class Method(Protocol):
    """A search: it asks for candidates, and is told their objectives."""

    spent: float
    """Core-seconds that the method itself was charged so far."""

    def ask(self) -> Sequence[Candidate]:
        """Return candidates; those that are known already cost nothing."""

    def tell(self, candidates: Sequence[Candidate], results: Sequence[Result]) -> None:
        """Add results."""


@dataclass(frozen=True)
class World:
    """Where a method searches.

    Args:
        space: samples and mutates candidates.
        evaluate: the result of a candidate.
        decode: candidate of pymoo's integer genes, or None if it is not in the space.
        upper: `(k,)` largest value of each gene.
        scores: scores of candidates without training and their core-seconds, by name; empty if
            there are none.
        limit: upper limit of the first objective; infinite for none.
        prepare: called with candidates before they are evaluated, one after another.
        num_random: candidates that evolution and pymoo sample before they evolve.
    """

    space: Any
    evaluate: Callable[[Candidate], Result]
    decode: Callable[[Sequence[int]], Candidate | None]
    upper: Sequence[int]
    scores: Mapping[str, Callable[[Candidate], tuple[float, float]]]
    limit: float = float("inf")
    prepare: Callable[[Sequence[Candidate]], None] = lambda _candidates: None
    num_random: int = 2 * CHILDREN


class Evolution:
    """`nasoa.offline.NSGA2`, with or without a choice among a pool of candidates."""

    spent = 0.0

    def __init__(
        self,
        world: World,
        seed: int,
        choose: Callable[[list[Candidate], int], list[Candidate]] | None = None,
    ) -> None:
        limits = None if world.limit == float("inf") else (world.limit, float("inf"))
        self._search: NSGA2[Candidate] = NSGA2(
            world.space,
            num_children=CHILDREN,
            num_random=world.num_random,
            seed=seed,
            upper_limits=limits,
            preselection=Preselection(POOL, choose) if choose else None,
        )

    def ask(self) -> Sequence[Candidate]:
        """See `Method`."""
        return self._search.ask()

    def tell(self, candidates: Sequence[Candidate], results: Sequence[Result]) -> None:
        """See `Method`."""
        self._search.tell(candidates, [result.objectives for result in results])


class Surrogated(Evolution):
    """Evolution whose candidates a surrogate chooses from a pool.

    It is charged for encoding candidates, fitting and predicting, as measured in this process; so
    the number of its evaluations within a budget can differ a little between runs.
    """

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, seed, self._choose)
        encode.cache_clear()  # an earlier search in this process has not paid for this one
        self._seed = seed
        self._limit = 0.0 if world.limit == float("inf") else world.limit
        self._known: list[Evaluation] = []

    def tell(self, candidates: Sequence[Candidate], results: Sequence[Result]) -> None:
        """See `Method`."""
        super().tell(candidates, results)
        self._known += [
            as_evaluation(str(spec), *result.objectives)
            for spec, result in zip(candidates, results, strict=True)
        ]

    def _choose(self, specs: list[Candidate], count: int) -> list[Candidate]:
        started = time.process_time()
        surrogate = Surrogate(self._known, limit_ms=self._limit, seed=self._seed)
        chosen = surrogate.choose(specs, count)
        self.spent += time.process_time() - started
        return chosen


class Random:
    """Random samples, each once."""

    spent = 0.0

    def __init__(self, world: World, seed: int) -> None:
        self._space, self._rng = world.space, np.random.default_rng(seed)

    def ask(self) -> Sequence[Candidate]:
        """See `Method`."""
        return [self._space.sample(self._rng) for _ in range(CHILDREN)]

    def tell(self, candidates: Sequence[Candidate], results: Sequence[Result]) -> None:
        """See `Method`."""


class Pymoo:
    """pymoo's NSGA-II on integer genes; genes of no candidate get the worst objectives, free."""

    spent = 0.0

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        problem = Problem(
            n_var=len(world.upper), n_obj=2, xl=0, xu=np.array(world.upper), vtype=int
        )
        self._algorithm = PymooNSGA2(
            pop_size=world.num_random,
            n_offsprings=CHILDREN,
            sampling=IntegerRandomSampling(),
            crossover=SBX(prob=0.9, eta=3.0, vtype=float, repair=RoundingRepair()),
            mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            eliminate_duplicates=True,
        )
        self._algorithm.setup(problem, seed=seed, verbose=False, termination=("n_gen", 10**6))
        self._asked: tuple[Any, list[Candidate | None]] = (None, [])

    def ask(self) -> Sequence[Candidate]:
        """See `Method`."""
        population = self._algorithm.ask()
        if population is None or len(population) == 0:
            self._asked = None, []
            return []
        decoded = [self._world.decode([int(g) for g in row]) for row in population.get("X")]
        self._asked = population, decoded
        return [candidate for candidate in decoded if candidate is not None]

    def tell(self, candidates: Sequence[Candidate], results: Sequence[Result]) -> None:
        """See `Method`."""
        population, decoded = self._asked
        if population is None:
            return
        found = {
            candidate: result.objectives
            for candidate, result in zip(candidates, results, strict=True)
            if np.isfinite(result.objectives).all() and result.objectives[0] <= self._world.limit
        }
        rows = [PYMOO_WORST if c is None else found.get(c, PYMOO_WORST) for c in decoded]
        population.set("F", np.array(rows))
        self._algorithm.tell(infills=population)


class Sieved(Evolution):
    """Evolution that keeps the best of a pool by a score without training, and by size.

    It is charged for both, once for each candidate.
    """

    def __init__(self, score: str, world: World, seed: int) -> None:
        super().__init__(world, seed, self._choose)
        self._scores = world.scores["macs"], world.scores[score]
        self._known: dict[Candidate, tuple[float, float]] = {}

    def _choose(self, candidates: list[Candidate], count: int) -> list[Candidate]:
        points = [self._point(candidate) for candidate in candidates]
        return [candidates[i] for i in survive(np.array(points), count)]

    def _point(self, candidate: Candidate) -> tuple[float, float]:
        """Return size and negative score of a candidate, both to be minimised."""
        if candidate not in self._known:
            (size, size_s), (found, found_s) = (score(candidate) for score in self._scores)
            self._known[candidate] = size, -found
            self.spent += size_s + found_s
        return self._known[candidate]


METHODS: dict[str, Callable[[World, int], Method]] = {
    "evolution": Evolution,
    "surrogate": Surrogated,
    **{f"sieve, {score}": partial(Sieved, score) for score in SCORES},
    "random": Random,
    "pymoo": Pymoo,
}


def methods_for(world: World) -> list[str]:
    """Return the methods that can search somewhere: surrogate and sieves need networks."""
    return [name for name in METHODS if world.scores or name in ("evolution", "random", "pymoo")]


def search(name: str, world: World, seed: int, budget_s: float) -> Iterator[tuple[Any, Result]]:
    """Yield what a method evaluates within a budget of core-seconds, each candidate once.

    What the method itself was charged is added to the next evaluation.
    """
    method = METHODS[name](world, seed)
    known: dict[Candidate, Result] = {}
    spent, charged, stalled = 0.0, 0.0, 0
    while stalled < STALLED:
        asked = list(dict.fromkeys(method.ask()))
        fresh = [candidate for candidate in asked if candidate not in known]
        stalled = 0 if fresh else stalled + 1
        world.prepare(fresh)
        for candidate in fresh:
            result = world.evaluate(candidate)
            result = replace(result, core_s=result.core_s + method.spent - charged)
            charged = method.spent
            spent += result.core_s
            if spent > budget_s:
                return
            known[candidate] = result
            yield candidate, result
        method.tell(asked, [known[candidate] for candidate in asked])


def chosen_front(found: Sequence[tuple[Any, Result]], limit: float) -> list[Any]:
    """Return the candidates that no other of those found dominates."""
    good = [
        (candidate, result.objectives)
        for candidate, result in found
        if np.isfinite(result.objectives).all() and result.objectives[0] <= limit
    ]
    if not good:
        return []
    ranks = non_dominated_rank(np.array([objectives for _, objectives in good]))
    return [candidate for (candidate, _), rank in zip(good, ranks, strict=True) if rank == 0]


def as_evaluation(encoding: str, step_ms: float, error: float) -> Evaluation:
    """Return a result as the search's own record."""
    accuracy = 1.0 - error if np.isfinite(error) else None
    costs = ArchCosts(
        encoding=encoding,
        resolution=0,
        batch_size=0,
        step_time_ms=step_ms if np.isfinite(step_ms) else 0.0,
        inference_ms=0.0,
        train_memory_bytes=0,
        macs=0,
        params=0,
        activations=0,
        hardware="",
    )
    return Evaluation(
        encoding=encoding,
        costs=costs,
        accuracy=accuracy,
        failure="" if accuracy is not None else "failed",
        detail="",
        seed=0,
        curve=(),
        elapsed_s=0.0,
        hardware="",
        config_hash="",
        code_version="",
        created_at="",
    )
