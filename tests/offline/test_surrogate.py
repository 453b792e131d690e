"""A surrogate ranks architectures by what was evaluated, and a search with one is resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasoa.arch import ArchSpec, parse
from nasoa.errors import InvalidInput
from nasoa.offline.front import front, objectives
from nasoa.offline.nsga2 import NSGA2, Preselection
from nasoa.offline.pareto import hypervolume
from nasoa.offline.search import SearchConfig, StopCriterion, select
from nasoa.offline.space import BlockSpace
from nasoa.offline.surrogate import LEAST_EVALUATIONS, Surrogate, encode
from nasoa.records import Evaluation
from nasoa.steps import searches

Make = Callable[..., Evaluation]
SPACE = BlockSpace(stages=((1,), (2,), (1,), (1,)), first_channels=(8, 16), max_skips=1)


def truth(spec: ArchSpec) -> tuple[float, float]:
    """Return a step time and an accuracy that follow from the encoding in a plausible way."""
    macs = np.exp(encode(spec)[0])
    kinds = [operator.kind for operator in spec.block.operators]
    gain = 0.1 * sum(kind in (0, 3) for kind in kinds) - 0.05 * len(spec.block.skips)
    return float(macs / 1e4), float(0.3 + gain + 0.03 * np.log(macs / 1e4))


def evaluated(make: Make, count: int, seed: int = 0) -> list[Evaluation]:
    rng = np.random.default_rng(seed)
    specs = dict.fromkeys(SPACE.sample(rng) for _ in range(3 * count))
    return [make(str(spec), *truth(spec)) for spec in list(specs)[:count]]


@pytest.mark.slow
def test_it_ranks_architectures_that_it_has_not_seen(make_evaluation: Make) -> None:
    surrogate = Surrogate(evaluated(make_evaluation, 60))
    others = [SPACE.sample(np.random.default_rng([7, i])) for i in range(40)]
    predicted = surrogate.predict(others)
    actual = np.array([truth(spec) for spec in others])
    assert spearmanr(predicted[:, 0], actual[:, 0]).statistic > 0.9
    assert spearmanr(1 - predicted[:, 1], actual[:, 1]).statistic > 0.7


@pytest.mark.slow
def test_its_choice_improves_the_front_more_than_the_rest(make_evaluation: Make) -> None:
    known = evaluated(make_evaluation, 50)
    surrogate = Surrogate(known)
    drawn = list(dict.fromkeys(SPACE.sample(np.random.default_rng([9, i])) for i in range(40)))
    drawn = [spec for spec in drawn if str(spec) not in {e.encoding for e in known}]
    chosen = surrogate.choose(drawn, 8)
    assert len(set(chosen)) == 8
    assert set(chosen) <= set(drawn)

    def volume(specs: list[ArchSpec]) -> float:
        every = [*known, *(make_evaluation(str(spec), *truth(spec)) for spec in specs)]
        slowest = max(e.costs.step_time_ms for e in known)
        return hypervolume(np.array([objectives(e) for e in front(every)]), (slowest, 1.0))

    rest = [spec for spec in drawn if spec not in chosen]
    others = [volume(rest[i : i + 8]) for i in range(0, len(rest) - 8, 8)]
    assert volume(chosen) > np.mean(others)


@pytest.mark.slow
def test_a_limit_of_the_step_time_is_kept_where_it_can_be(make_evaluation: Make) -> None:
    known = evaluated(make_evaluation, 50)
    limit = float(np.median([e.costs.step_time_ms for e in known]))
    surrogate = Surrogate(known, limit_ms=limit)
    drawn = list(dict.fromkeys(SPACE.sample(np.random.default_rng([3, i])) for i in range(30)))
    chosen = surrogate.choose(drawn, 3)
    assert np.mean([truth(spec)[0] < 1.2 * limit for spec in chosen]) > 0.6


def test_with_too_few_evaluations_it_takes_candidates_in_turn(make_evaluation: Make) -> None:
    few = [make_evaluation("020- 8 1-2-1-1", 1.0 + i, 0.5) for i in range(LEAST_EVALUATIONS - 1)]
    surrogate = Surrogate(few)
    drawn = list(dict.fromkeys(SPACE.sample(np.random.default_rng([5, i])) for i in range(20)))
    assert not surrogate.is_fitted
    assert surrogate.choose(drawn, 4) == drawn[:4]


@pytest.mark.slow
def test_failures_teach_it_times_alone(make_evaluation: Make) -> None:
    known = evaluated(make_evaluation, 60)
    slow = [make_evaluation(e.encoding, e.costs.step_time_ms, None, "too slow") for e in known[:20]]
    surrogate = Surrogate([*slow, *known[20:]])
    assert surrogate.is_fitted
    assert np.isfinite(surrogate.predict([SPACE.sample(np.random.default_rng(0))])).all()


def test_what_is_dropped_can_be_asked_later() -> None:
    class Numbers:
        def sample(self, rng: np.random.Generator) -> int:
            return int(rng.integers(40))

        def mutate(self, candidate: int, rng: np.random.Generator) -> int:
            return int((candidate + rng.choice([-1, 1])) % 40)

    least: Preselection[int] = Preselection(3, lambda found, k: sorted(found)[:k])
    search = NSGA2(Numbers(), num_children=4, preselection=least)
    asked: list[int] = []
    while len(asked) < 40:
        batch = search.ask()
        assert len(batch) == 4
        assert not set(batch) & set(asked)
        asked += batch
        search.tell(batch, [[float(x), float(-x)] for x in batch])
    assert sorted(asked) == list(range(40))


@pytest.mark.slow
def test_a_search_with_a_surrogate_follows_from_its_evaluations(
    config: SearchConfig, make_evaluation: Make
) -> None:
    with_pool = replace(config, block=SPACE, num_children=8, pool=4)
    stop = StopCriterion(max_evaluations=48)
    generations: list[tuple[str, ...]] = []
    known: dict[str, Evaluation] = {}
    while not (found := select(with_pool, stop, generations, known)).ended:
        assert found == select(with_pool, stop, generations, dict(reversed(known.items())))
        generations.append(found.architectures)
        for encoding in found.architectures:
            known[encoding] = make_evaluation(encoding, *truth(parse(encoding)))
    assert len(known) == 48
    plain = select(
        replace(with_pool, pool=1), stop, generations[:3], dict(list(known.items())[:24])
    )
    assert plain.architectures != generations[3]


@pytest.mark.parametrize("pool", [0, 101])
def test_a_pool_that_is_none_is_refused(config: SearchConfig, pool: int) -> None:
    with pytest.raises(InvalidInput, match=f"pool of 1 to 100, got {pool}"):
        replace(config, pool=pool)


def test_the_command_line_s_words_reach_the_search(tmp_path: Path) -> None:
    made = searches.configure(str(tmp_path), space="block", data="x.zip", pool=4)
    assert made.pool == 4
