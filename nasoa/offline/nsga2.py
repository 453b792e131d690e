"""The paper's modified NSGA-II (Algorithm 1) with an ask-and-tell interface.

Deb et al. 2002, with the paper's changes: every generation has exactly `num_children` candidates,
one for each computation node, and candidates come from mutation alone. The population is everything
that was ever evaluated; its best `num_children` by rank and crowding distance are the parents.

The paper leaves the following open; here:

- `epsilon`, the "sensitive factor" of Algorithm 2, is a resolution of the objectives: parents are
  ranked by epsilon-dominance (Laumanns et al. 2002). Objectives are assigned to boxes of that side,
  so a difference within the noise does not decide who is a parent. 0 is plain dominance.
- Until `num_random` candidates are known, and in the first generation, all are sampled (7.3: "we do
  a random search at first"). Later, each child goes to the parent whose neighbourhood is the least
  explored (the most of a few sampled mutations are new), and on ties to the better parent. So a
  recent parent has several children, and one that was mutated for many generations has few. On
  tables of macro structures this discovered more of the front than one child per parent
  (`benchmarks/nsga2_quality.py`), which is the other natural reading.
- With a `pool` above 1, that many times as many candidates are drawn in each generation after the
  random phase, and `choose` keeps `num_children` of them; the others stay unknown.
- Only the seed and the told results decide what is asked next: no generator is stored, so a search
  can be resumed from its results, in whatever order they arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput
from nasoa.offline.finite_points import checked
from nasoa.offline.pareto import boxes, non_dominated_rank, survive

C = TypeVar("C", bound=Hashable)
Array = NDArray[np.float64]

DRAWS = 20  # mutations of a parent to estimate how much of its neighbourhood is known
LONGEST_WALK = 4
SAMPLES_PER_KNOWN = 60  # 60 n samples miss 1 of n candidates with probability e^-60
FEWEST_SAMPLES = 1000


class SearchSpace(Protocol[C]):
    """The space to search: candidates are hashable, and have distinct `repr`s."""

    def sample(self, rng: np.random.Generator) -> C:
        """Return a random candidate."""

    def mutate(self, candidate: C, rng: np.random.Generator) -> C:
        """Return a candidate near another."""


@dataclass(frozen=True)
class Preselection(Generic[C]):
    """Choice of the candidates to evaluate among a larger number that evolution draws.

    Args:
        pool: candidates drawn for each one that is asked for, once evolution has begun.
        choose: returns the given number of the candidates drawn.
    """

    pool: int
    choose: Callable[[list[C], int], list[C]]

    def __post_init__(self) -> None:
        if self.pool < 1:
            raise InvalidInput(f"expected a pool of 1 or more, got {self.pool}")


class NSGA2(Generic[C]):
    """Multi-objective evolutionary search; all objectives are minimised.

    Args:
        space: the space to search.
        num_children: candidates per generation.
        num_random: candidates that are sampled before evolution begins.
        seed: seed of all random decisions.
        epsilon: side of the boxes in which objectives are compared to choose parents, one for all
            or one for each; 0 compares the values themselves.
        upper_limits: upper limit of each objective (Eq. 1: the step time Tm); a candidate above it
            is infeasible: it is known, but is never a parent nor on the front.
        preselection: how candidates are chosen among more; None evaluates all that are drawn.

    >>> class Numbers:
    ...     def sample(self, rng):
    ...         return int(rng.integers(100))
    ...     def mutate(self, candidate, rng):
    ...         return (candidate + int(rng.choice([-1, 1]))) % 100
    >>> search = NSGA2(Numbers(), num_children=4, seed=0)
    >>> for _ in range(20):
    ...     asked = search.ask()
    ...     search.tell(asked, [[abs(x - 30), abs(x - 34)] for x in asked])
    >>> sorted(candidate for candidate, objectives in search.front())
    [30, 31, 32, 33, 34]
    """

    def __init__(
        self,
        space: SearchSpace[C],
        *,
        num_children: int,
        num_random: int = 0,
        seed: int = 0,
        epsilon: float | Sequence[float] = 0.0,
        upper_limits: Sequence[float] | None = None,
        preselection: Preselection[C] | None = None,
    ) -> None:
        if num_children < 1:
            raise InvalidInput(f"expected num_children to be at least 1, got {num_children}")
        if num_random < 0:
            raise InvalidInput(f"expected num_random to be 0 or more, got {num_random}")
        self._epsilon = np.asarray(epsilon, dtype=np.float64)
        if not (np.isfinite(self._epsilon).all() and (self._epsilon >= 0).all()):
            raise InvalidInput(f"expected epsilon to be 0 or more, got {epsilon}")
        self.space = space
        self.num_children = num_children
        self.num_random = num_random
        self.seed = seed
        self._preselection = preselection
        self._limits = None if upper_limits is None else np.asarray(upper_limits, dtype=np.float64)
        self._known: set[C] = set()
        self._told: dict[C, Array] = {}
        self._exhausted = False

    def ask(self) -> list[C]:
        """Return the next generation: `num_children` candidates that are new.

        They have never been asked or told before; if the space has too few, candidates repeat.
        """
        rng = np.random.default_rng([self.seed, len(self._known), self._digest()])
        parents = self.best(self.num_children) if len(self._known) >= self.num_random else []
        draws = [[self.space.mutate(parent, rng) for _ in range(DRAWS)] for parent in parents]
        explored = [sum(draw in self._known for draw in drawn) for drawn in draws]
        children: list[C] = []
        before = set(self._known)
        pool = self._preselection.pool if self._preselection and parents else 1
        for _ in range(self.num_children * pool):
            tries: Iterator[C] = self._samples(rng)
            if parents:
                least = explored.index(min(explored))
                explored[least] += 1
                tries = chain(draws[least], self._walks(parents[least], rng), tries)
            children.append(self._first_new(tries))
        return self._chosen(children, before)

    def tell(self, candidates: Sequence[C], objectives: ArrayLike) -> None:
        """Add results: `(n, m)` objectives of `n` candidates.

        A row with an objective that is not finite means that the evaluation failed. If a candidate
        is told twice, the smaller row counts, compared from the first objective on.

        Raises:
            InvalidInput: the shape does not fit the candidates, or earlier objectives.
        """
        rows = np.asarray(objectives, dtype=np.float64)
        if rows.ndim != 2 or len(rows) != len(candidates):
            raise InvalidInput(
                f"expected objectives of shape ({len(candidates)}, m), got shape {rows.shape}"
            )
        width = self._num_objectives()
        if width is not None and len(rows) and rows.shape[1] != width:
            raise InvalidInput(f"expected {width} objectives, as told before, got {rows.shape[1]}")
        for sizes, name in ((self._epsilon, "epsilon"), (self._limits, "upper_limits")):
            if sizes is not None and sizes.ndim and len(rows) and len(sizes) != rows.shape[1]:
                raise InvalidInput(
                    f"expected {name} to have {rows.shape[1]} values, got {len(sizes)}"
                )
        for candidate, row in zip(candidates, rows, strict=True):
            self._known.add(candidate)
            before = self._told.get(candidate)
            if before is None or _key(row) < _key(before):
                self._told[candidate] = row

    def front(self) -> list[tuple[C, Array]]:
        """Return the sorted feasible candidates that no other dominates, with `(m,)` objectives."""
        candidates, points = self._feasible()
        if not candidates:
            return []
        best = np.flatnonzero(non_dominated_rank(points) == 0)
        return [(candidates[i], points[i].copy()) for i in best]

    def best(self, k: int) -> list[C]:
        """Return the best `k` feasible candidates by rank and crowding distance, best first."""
        candidates, points = self._feasible()
        if not candidates:
            return []
        return [candidates[i] for i in survive(boxes(points, self._epsilon), k)]

    def _chosen(self, children: list[C], before: set[C]) -> list[C]:
        """Return `num_children` of the children; those that are dropped are not known.

        Args:
            children: the candidates drawn.
            before: the candidates known before they were drawn.
        """
        if self._preselection is None or len(children) == self.num_children:
            return children
        fresh = list(dict.fromkeys(child for child in children if child not in before))
        if len(fresh) <= self.num_children:
            return (fresh + [child for child in children if child in before])[: self.num_children]
        kept = self._preselection.choose(fresh, self.num_children)
        self._known = before | set(kept)
        self._exhausted = False
        return kept

    def _feasible(self) -> tuple[list[C], Array]:
        """Return the candidates that may be parents, in an order independent of the telling."""
        rows = [
            (_key(row), repr(candidate), candidate)
            for candidate, row in self._told.items()
            if np.isfinite(row).all() and (self._limits is None or (row <= self._limits).all())
        ]
        rows.sort(key=lambda row: row[:2])
        points = np.array([row[0] for row in rows]).reshape(len(rows), self._num_objectives() or 0)
        return [row[2] for row in rows], checked(points)

    def _num_objectives(self) -> int | None:
        return next((len(row) for row in self._told.values()), None)

    def _digest(self) -> int:
        """Hash the results to a number that is independent of the order in which they arrived."""
        told = sorted(f"{candidate!r} {_key(row)}" for candidate, row in self._told.items())
        return int.from_bytes(hashlib.sha256("\n".join(told).encode()).digest()[:8], "little")

    def _first_new(self, tries: Iterator[C]) -> C:
        """Return the first candidate that is not known, or the first of all if none is left."""
        first = candidate = next(tries)
        while candidate in self._known and not self._exhausted:
            following = next(tries, None)
            if following is None:
                self._exhausted = True
                return first
            candidate = following
        self._known.add(candidate)
        return candidate

    def _walks(self, parent: C, rng: np.random.Generator) -> Iterator[C]:
        """Yield candidates that two or more mutations lead to from the parent, fewest first."""
        for length in range(2, LONGEST_WALK + 1):
            for _ in range(DRAWS):
                candidate = parent
                for _ in range(length):
                    candidate = self.space.mutate(candidate, rng)
                yield candidate

    def _samples(self, rng: np.random.Generator) -> Iterator[C]:
        """Yield random candidates, enough to discover the last one that is not known."""
        for _ in range(max(FEWEST_SAMPLES, SAMPLES_PER_KNOWN * len(self._known))):
            candidate = self.space.sample(rng)
            yield candidate
            yield self.space.mutate(candidate, rng)


def _key(row: Array) -> tuple[float, ...]:
    """Return a row as plain numbers that can be ordered: a failure (NaN) comes last."""
    return tuple(float(value) if not np.isnan(value) else float("inf") for value in row)
