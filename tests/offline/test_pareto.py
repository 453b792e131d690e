"""Ranks, crowding and survival, compared with pymoo's and with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.offline.crowding_distance import crowding_in_fronts
from nasoa.offline.pareto import crowding_distance, hypervolume, non_dominated_rank, survive

Array = NDArray[np.float64]

# Few different values, so that ties and duplicates are common.
TIED = st.integers(1, 4).flatmap(
    lambda m: hnp.arrays(
        np.float64, st.tuples(st.integers(1, 40), st.just(m)), elements=st.integers(0, 6).map(float)
    )
)


def ranks_by_definition(points: Array) -> Array:
    """Rank points by repeatedly removing those that no remaining point dominates."""
    ranks = np.full(len(points), -1)
    rank = 0
    while (ranks < 0).any():
        left = np.flatnonzero(ranks < 0)
        rest = points[left]
        no_worse = (rest[:, None] <= rest[None]).all(axis=2)
        better = (rest[:, None] < rest[None]).any(axis=2)
        ranks[left[~(no_worse & better).any(axis=0)]] = rank
        rank += 1
    return ranks


@settings(deadline=None)
@given(points=TIED)
def test_ranks_are_those_of_the_definition(points: Array) -> None:
    assert non_dominated_rank(points).tolist() == ranks_by_definition(points).tolist()


@settings(deadline=None, max_examples=50)
@given(points=TIED)
def test_ranks_are_those_of_pymoo(points: Array) -> None:
    nds = pytest.importorskip("pymoo.util.nds.non_dominated_sorting")
    expected = np.empty(len(points), dtype=int)
    for rank, front in enumerate(nds.NonDominatedSorting().do(points)):
        expected[front] = rank
    assert non_dominated_rank(points).tolist() == expected.tolist()


def test_crowding_distance_of_a_worked_example() -> None:
    points = [[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]]
    # Gaps of the neighbours as fractions of the ranges: (4-0)/10 + (10-5)/10, (10-1)/10 + (6-0)/10.
    assert crowding_distance(points) == pytest.approx([np.inf, 0.9, 1.5, np.inf])


@settings(deadline=None)
@given(points=TIED, shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_crowding_distance_does_not_depend_on_units(
    points: Array, shift: float, scale: float
) -> None:
    assert crowding_distance(points * scale + shift) == pytest.approx(crowding_distance(points))


@settings(deadline=None)
@given(points=TIED, data=st.data())
def test_survivors_are_the_best_by_rank_then_the_least_crowded(
    points: Array, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, len(points) + 2))
    kept = survive(points, k)
    ranks = non_dominated_rank(points)
    assert len(kept) == len(set(kept.tolist())) == min(k, len(points))
    assert sorted(ranks[kept]) == sorted(ranks)[: len(kept)]
    if len(kept) and len(kept) < len(points):
        cut = np.flatnonzero(ranks == ranks[kept[-1]])
        crowding = dict(zip(cut.tolist(), crowding_distance(points[cut]), strict=True))
        inside = [crowding[i] for i in crowding if i in set(kept.tolist())]
        outside = [crowding[i] for i in crowding if i not in set(kept.tolist())]
        assert not outside or min(inside) >= max(outside)


@settings(deadline=None)
@given(points=TIED)
def test_fronts_together_have_the_crowding_of_each_alone(points: Array) -> None:
    ranks = non_dominated_rank(points)
    order = np.argsort(ranks, kind="stable")
    alone = [crowding_distance(points[ranks == rank]) for rank in range(ranks.max() + 1)]
    together = crowding_in_fronts(points[order], ranks[order])
    assert together.tolist() == np.concatenate(alone).tolist()


@settings(deadline=None)
@given(points=TIED)
def test_survivors_come_front_by_front_and_the_least_crowded_first(points: Array) -> None:
    ranks = non_dominated_rank(points)
    expected = []
    for rank in range(ranks.max() + 1):
        front = np.flatnonzero(ranks == rank)
        expected += front[np.argsort(-crowding_distance(points[front]), kind="stable")].tolist()
    for k in range(len(points) + 1):
        assert survive(points, k).tolist() == expected[:k]


def test_survival_of_many_agrees_with_pymoo() -> None:
    classes = pytest.importorskip("pymoo.operators.survival.rank_and_crowding.classes")
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem

    points = np.random.default_rng(0).normal(size=(500, 2))
    population = Population.new("F", points, "index", np.arange(500))
    kept = classes.RankAndCrowding()._do(
        Problem(n_var=1, n_obj=2), population, n_survive=200, random_state=np.random.default_rng(0)
    )
    assert set(kept.get("index")) == set(survive(points, 200).tolist())


def test_hypervolume_of_rectangles() -> None:
    assert hypervolume([[0.0, 0.5], [0.5, 0.0], [0.9, 0.9]], [1.0, 1.0]) == pytest.approx(0.75)
    assert hypervolume(np.zeros((0, 2)), [1.0, 1.0]) == 0.0


def test_no_points() -> None:
    assert non_dominated_rank(np.zeros((0, 2))).shape == (0,)
    assert crowding_distance(np.zeros((0, 2))).shape == (0,)
    assert survive(np.zeros((0, 2)), 3).shape == (0,)


@pytest.mark.parametrize(
    ("bad", "said"), [([1.0, 2.0], "shape"), ([[1.0, np.nan]], "row 0"), ([[np.inf, 1.0]], "row 0")]
)
def test_objectives_that_cannot_be_ranked_are_refused(bad: object, said: str) -> None:
    for function in (non_dominated_rank, crowding_distance, lambda points: survive(points, 1)):
        with pytest.raises(InvalidInput, match=said):
            function(bad)
    with pytest.raises(InvalidInput, match="k to be 0 or more"):
        survive([[1.0, 2.0]], -1)
