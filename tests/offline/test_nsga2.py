"""Algorithm 1 with ask and tell: what is asked, the parents, and what the state depends on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.offline import NSGA2
from nasoa.offline.pareto import hypervolume, non_dominated_rank

Genes = tuple[int, ...]


class Digits:
    """Sequences of `length` digits in base `base`; a mutation changes one."""

    def __init__(self, length: int, base: int = 3) -> None:
        self.length, self.base = length, base
        self.mutated: list[Genes] = []

    def sample(self, rng: np.random.Generator) -> Genes:
        return tuple(int(gene) for gene in rng.integers(self.base, size=self.length))

    def mutate(self, candidate: Genes, rng: np.random.Generator) -> Genes:
        self.mutated.append(candidate)
        at = int(rng.integers(self.length))
        other = int((candidate[at] + rng.integers(1, self.base)) % self.base)
        return (*candidate[:at], other, *candidate[at + 1 :])

    def all(self) -> list[Genes]:
        return list(product(range(self.base), repeat=self.length))


def objectives(candidates: list[Genes]) -> NDArray[np.float64]:
    """Return a cost that grows with the digits, and an error that falls with them unevenly."""
    genes = np.array(candidates, dtype=float)
    weights = np.linspace(0.5, 1.5, genes.shape[1])
    return np.stack([genes @ weights, np.exp(-np.sqrt(genes) @ weights[::-1] / 4)], axis=1)


def search(space: Digits, generations: int, **settings: object) -> NSGA2[Genes]:
    nsga2: NSGA2[Genes] = NSGA2(space, num_children=8, **settings)  # type: ignore[arg-type]
    for _ in range(generations):
        asked = nsga2.ask()
        nsga2.tell(asked, objectives(asked))
    return nsga2


@settings(max_examples=20, deadline=None)
@given(num_children=st.integers(1, 20), seed=st.integers(0, 1000), generations=st.integers(1, 6))
def test_every_generation_has_as_many_new_candidates(
    num_children: int, seed: int, generations: int
) -> None:
    nsga2: NSGA2[Genes] = NSGA2(Digits(6), num_children=num_children, seed=seed)
    seen: set[Genes] = set()
    for _ in range(generations):
        asked = nsga2.ask()
        assert len(asked) == num_children
        assert len(set(asked)) == num_children
        assert not seen & set(asked)
        seen |= set(asked)
        nsga2.tell(asked, objectives(asked))


def test_it_finds_every_candidate_and_then_asks_again() -> None:
    space = Digits(3)
    nsga2: NSGA2[Genes] = NSGA2(space, num_children=4, seed=1)
    found: list[Genes] = []
    while len(found) < 24:
        asked = nsga2.ask()
        nsga2.tell(asked, objectives(asked))
        found += asked
    assert len(set(found)) == 24
    last = nsga2.ask()
    assert set(space.all()) == set(found) | set(last)
    assert len(last) == 4
    assert len(nsga2.ask()) == 4


def test_candidates_in_flight_and_failed_ones_are_not_asked_again() -> None:
    nsga2: NSGA2[Genes] = NSGA2(Digits(4), num_children=8, seed=0)
    first, second = nsga2.ask(), nsga2.ask()
    nsga2.tell(first, np.full((8, 2), np.nan))
    assert not set(first) & set(second)
    assert not (set(first) | set(second)) & set(nsga2.ask())


def test_only_the_best_feasible_candidates_are_mutated() -> None:
    space = Digits(6)
    nsga2: NSGA2[Genes] = NSGA2(space, num_children=8, seed=0, upper_limits=(4.0, np.inf))
    told = space.all()[::7]
    points = objectives(told)
    points[::5] = np.nan
    nsga2.tell(told, points)
    space.mutated.clear()
    nsga2.ask()
    parents = set(nsga2.best(8))
    allowed = [i for i in range(len(told)) if np.isfinite(points[i]).all() and points[i, 0] <= 4.0]
    ranks = non_dominated_rank(points[allowed])
    rank_of = {told[i]: rank for i, rank in zip(allowed, ranks, strict=True)}
    assert parents <= set(rank_of)
    assert sorted(rank_of[parent] for parent in parents) == sorted(ranks)[:8]
    # The first mutation of each sample starts at a parent.
    assert set(space.mutated[: 8 * 20]) == parents


def test_a_candidate_above_a_limit_is_never_on_the_front() -> None:
    nsga2 = search(Digits(5), 6, upper_limits=(3.0, np.inf))
    assert nsga2.front()
    assert all(row[0] <= 3.0 for _, row in nsga2.front())


def test_without_a_feasible_candidate_it_goes_on_sampling() -> None:
    nsga2 = search(Digits(5), 3, upper_limits=(-1.0, np.inf))
    assert nsga2.front() == []
    assert len(nsga2.ask()) == 8


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(40)), seed=st.integers(0, 100))
def test_what_is_asked_does_not_depend_on_the_order_of_telling(order: list[int], seed: int) -> None:
    told = Digits(5).all()[:200:5]
    points = objectives(told)
    whole: NSGA2[Genes] = NSGA2(Digits(5), num_children=6, seed=seed)
    whole.tell(told, points)
    shuffled: NSGA2[Genes] = NSGA2(Digits(5), num_children=6, seed=seed)
    for i in order:
        shuffled.tell([told[i]], points[i : i + 1])
    assert whole.ask() == shuffled.ask()
    assert [c for c, _ in whole.front()] == [c for c, _ in shuffled.front()]


def test_a_search_can_be_taken_up_from_its_results() -> None:
    running: NSGA2[Genes] = NSGA2(Digits(6), num_children=8, seed=3)
    told: list[Genes] = []
    for _ in range(4):
        asked = running.ask()
        running.tell(asked, objectives(asked))
        told += asked
    again: NSGA2[Genes] = NSGA2(Digits(6), num_children=8, seed=3)
    again.tell(told, objectives(told))
    assert running.ask() == again.ask()


def test_another_seed_asks_something_else() -> None:
    assert (
        NSGA2(Digits(6), num_children=8, seed=0).ask()
        != NSGA2(Digits(6), num_children=8, seed=1).ask()
    )


def test_epsilon_keeps_noise_from_deciding_who_is_a_parent() -> None:
    """Two clusters whose members differ by less than epsilon, and one worse candidate."""
    candidates = [(i,) for i in range(5)]
    points = np.array([[1.00, 5.0], [1.01, 5.01], [3.0, 2.0], [3.01, 2.01], [4.0, 6.0]])
    plain: NSGA2[Genes] = NSGA2(Digits(1), num_children=4)
    boxed: NSGA2[Genes] = NSGA2(Digits(1), num_children=4, epsilon=0.5)
    for nsga2 in (plain, boxed):
        nsga2.tell(candidates, points)
    # By plain dominance (1,) and (3,) are on the second front; in boxes they are on the same one.
    assert set(plain.best(2)) == {(0,), (2,)}
    assert set(boxed.best(4)) == {(0,), (1,), (2,), (3,)}
    assert {candidate for candidate, _ in boxed.front()} == {(0,), (2,)}
    each: NSGA2[Genes] = NSGA2(Digits(1), num_children=4, epsilon=(0.0, 0.5))
    each.tell(candidates, points)
    assert set(each.best(2)) == {(0,), (2,)}


def test_it_beats_chance_on_a_table_whose_front_is_known() -> None:
    space = Digits(7)
    points = objectives(space.all())
    reference = points.max(axis=0)
    best = hypervolume(points, reference)
    ratios, by_chance = [], []
    for seed in range(5):
        nsga2 = search(space, 30, seed=seed)
        ratios.append(hypervolume([row for _, row in nsga2.front()], reference) / best)
        drawn = np.random.default_rng(seed).permutation(len(points))[:240]
        by_chance.append(hypervolume(points[drawn], reference) / best)
    assert np.median(ratios) > 0.99
    assert min(ratios) > np.median(by_chance)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"num_children": 0}, "num_children"), ({"num_children": 2, "epsilon": -0.1}, "epsilon")],
)
def test_settings_that_make_no_search_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        NSGA2(Digits(2), **settings)  # type: ignore[arg-type]


def test_objectives_of_another_shape_are_refused() -> None:
    nsga2: NSGA2[Genes] = NSGA2(Digits(2), num_children=2)
    with pytest.raises(InvalidInput, match="shape"):
        nsga2.tell([(0, 0)], [[1.0, 2.0], [3.0, 4.0]])
    nsga2.tell([(0, 0)], [[1.0, 2.0]])
    with pytest.raises(InvalidInput, match="2 objectives"):
        nsga2.tell([(0, 1)], [[1.0, 2.0, 3.0]])
    limited: NSGA2[Genes] = NSGA2(Digits(2), num_children=2, upper_limits=(1.0,))
    with pytest.raises(InvalidInput, match="upper_limits"):
        limited.tell([(0, 0)], [[1.0, 2.0]])


def test_evolution_begins_after_the_random_phase() -> None:
    sampled = {"now": 0}

    class Counting(Digits):
        def mutate(self, candidate: Genes, rng: np.random.Generator) -> Genes:
            sampled["now"] += 1
            return super().mutate(candidate, rng)

    nsga2: NSGA2[Genes] = NSGA2(Counting(6), num_children=4, num_random=10, seed=0)
    plain: NSGA2[Genes] = NSGA2(Digits(6), num_children=4, seed=0)
    for generation in range(4):
        known, sampled["now"] = 4 * generation, 0
        asked = nsga2.ask()
        # Every parent is mutated to estimate how much of its neighbourhood is known.
        assert (sampled["now"] >= 20) == (known >= 10)
        nsga2.tell(asked, objectives(asked))
    assert plain.ask() == NSGA2(Digits(6), num_children=4, num_random=4, seed=0).ask()
    with pytest.raises(InvalidInput, match="num_random"):
        NSGA2(Digits(6), num_children=4, num_random=-1)
