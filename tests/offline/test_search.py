"""A search as a function of its configuration and its evaluations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nasoa.arch import parse
from nasoa.config import EvaluateConfig
from nasoa.errors import InvalidInput
from nasoa.offline.common_cells import most_common_cells
from nasoa.offline.front import best, front
from nasoa.offline.search import (
    SearchConfig,
    StopCriterion,
    architecture_hash,
    difference,
    progress,
    select,
)
from nasoa.offline.space import BlockSpace
from nasoa.records import Evaluation, from_json, to_json

Make = Callable[..., Evaluation]
Known = dict[str, Evaluation]


def judged(make: Make, encodings: tuple[str, ...], known: Known) -> Known:
    """Add synthetic results, a function of the encoding, to those known."""
    added = {}
    for text in encodings:
        cost = sum(map(ord, text)) % 97 + 1.0
        failed = cost > 90
        added[text] = make(
            text, cost, None if failed else (cost % 13) / 13, "diverged" if failed else ""
        )
    return {**known, **added}


def run(config: SearchConfig, make: Make, **stop: int) -> tuple[list[tuple[str, ...]], Known, str]:
    generations: list[tuple[str, ...]] = []
    known: Known = {}
    while not (selection := select(config, StopCriterion(**stop), generations, known)).ended:
        assert selection.is_new
        generations.append(selection.architectures)
        known = judged(make, selection.architectures, known)
    return generations, known, selection.ended


def test_it_goes_on_until_the_budget_is_used(config: SearchConfig, make_evaluation: Make) -> None:
    generations, known, ended = run(config, make_evaluation, max_evaluations=10)
    assert [len(generation) for generation in generations] == [4, 4, 2]
    assert len(known) == 10
    assert "budget of 10" in ended


def test_one_that_has_ended_goes_on_with_a_larger_budget(
    config: SearchConfig, make_evaluation: Make
) -> None:
    generations, known, _ = run(config, make_evaluation, max_evaluations=8)
    more = select(config, StopCriterion(max_evaluations=20), generations, known)
    assert (more.ended, more.generation, len(more.architectures)) == ("", 3, 4)


def test_it_ends_when_the_front_stands_still(config: SearchConfig, make_evaluation: Make) -> None:
    generations, known, ended = run(config, make_evaluation, max_evaluations=500, patience=3)
    assert "not moved for 3 generations" in ended
    newest = {text for generation in generations[-3:] for text in generation}
    assert not newest & {e.encoding for e in front(list(known.values()))}


def test_it_ends_when_the_space_is_exhausted(config: SearchConfig, make_evaluation: Make) -> None:
    space = BlockSpace(
        stages=((1,), (2,), (1,), (1,)), first_channels=(8,), max_operators=1, max_skips=0
    )
    generations, known, ended = run(
        replace(config, block=space), make_evaluation, max_evaluations=100
    )
    assert "exhausted" in ended
    assert set(known) == {str(spec) for spec in space.all()}
    assert sum(map(len, generations)) == len(known)


def test_what_is_open_comes_first(config: SearchConfig, make_evaluation: Make) -> None:
    first = select(config, StopCriterion(), [], {})
    assert (first.generation, first.is_new, len(first.architectures)) == (1, True, 4)
    some = judged(make_evaluation, first.architectures[:3], {})
    again = select(config, StopCriterion(), [first.architectures], some)
    assert (again.generation, again.is_new) == (1, False)
    assert again.architectures == first.architectures[3:]


def test_the_next_generation_follows_from_the_store_alone(
    config: SearchConfig, make_evaluation: Make
) -> None:
    first = select(config, StopCriterion(), [], {}).architectures
    known = judged(make_evaluation, first, {})
    backwards = dict(reversed(known.items()))
    stop = StopCriterion()
    assert select(config, stop, [first], known) == select(config, stop, [first], backwards)


def test_too_slow_and_failed_ones_are_never_on_the_front(
    config: SearchConfig, make_evaluation: Make
) -> None:
    evaluations = [
        make_evaluation("0- 8 1-2-1-1", 5.0, 0.5),
        make_evaluation("1- 8 1-2-1-1", 1.0, None, "too slow"),
        make_evaluation("2- 8 1-2-1-1", 9.0, 0.9),
        make_evaluation("3- 8 1-2-1-1", 9.5, 0.8),
    ]
    assert [e.encoding for e in front(evaluations)] == ["0- 8 1-2-1-1", "2- 8 1-2-1-1"]
    assert [e.encoding for e in best(evaluations, 3)] == [
        "0- 8 1-2-1-1",
        "2- 8 1-2-1-1",
        "3- 8 1-2-1-1",
    ]
    with pytest.raises(InvalidInput, match="at least 1"):
        best(evaluations, 0)
    with pytest.raises(InvalidInput, match="evaluated"):
        best([], 2)


def test_a_cell_counts_once_whatever_its_first_channel(make_evaluation: Make) -> None:
    evaluations = [
        make_evaluation("0- 16 1-2-1-1", 1.0, 0.1),
        make_evaluation("0- 32 1-2-1-1", 2.0, 0.2),
        make_evaluation("0- 48 1-2-1-1", 3.0, 0.3),
        make_evaluation("020- 16 1-2-1-1", 9.0, 0.4),
        make_evaluation("030- 32 1-2-1-1", 10.0, 0.35),
    ]
    assert most_common_cells(evaluations, 3) == ["0-", "020-", "030-"]
    assert most_common_cells(evaluations, 1) == ["0-"]


def test_epsilon_decides_which_models_and_cells_are_chosen(make_evaluation: Make) -> None:
    # Without epsilon, `1-` is on the front by a difference within the noise.
    evaluations = [
        make_evaluation("0- 16 1-2-1-1", 1.0, 0.1),
        make_evaluation("1- 16 1-2-1-1", 10.2, 0.312),
        make_evaluation("2- 16 1-2-1-1", 8.0, 0.311),
        make_evaluation("3- 16 1-2-1-1", 20.0, 0.5),
    ]
    epsilon = (1.0, 0.01)
    assert "1- 16 1-2-1-1" in [e.encoding for e in best(evaluations, 4)[:3]]
    assert [e.encoding for e in best(evaluations, 3, epsilon)] == [
        "0- 16 1-2-1-1",
        "2- 16 1-2-1-1",
        "3- 16 1-2-1-1",
    ]
    assert most_common_cells(evaluations, 4, epsilon)[-1] == "1-"
    assert most_common_cells(evaluations, 4)[-1] == "2-"


def test_hypervolume_never_falls(config: SearchConfig, make_evaluation: Make) -> None:
    generations, known, _ = run(config, make_evaluation, max_evaluations=40)
    rows = progress(config, generations, known)
    shares = [row.hypervolume for row in rows]
    assert shares == sorted(shares)
    assert 0 < shares[-1] < 1
    assert rows[-1].evaluated == 40
    assert rows[-1].failed == sum(bool(e.failure) for e in known.values())


def test_texts_of_one_network_have_one_hash() -> None:
    one, other = "02031-a12a02 16 1-2-2-2", "02031-a02a12a03 16 1-2-2-2"
    assert architecture_hash(parse(one)) == architecture_hash(parse(other))
    assert architecture_hash(parse(one)) != architecture_hash(parse("02031- 16 1-2-2-2"))


def test_a_configuration_survives_its_json(config: SearchConfig) -> None:
    assert from_json(to_json(config), SearchConfig) == config


def test_the_differing_field_is_named(config: SearchConfig, judging: EvaluateConfig) -> None:
    assert difference(config, config) == ""
    assert difference(config, replace(config, seed=3)).startswith("seed (0 there, 3 here)")
    other = replace(config, evaluate=replace(judging, lr=0.5))
    assert difference(config, other).startswith("evaluate.lr (0.1 there, 0.5 here)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_children": 0}, "num_children"),
        ({"max_step_time_ms": -1.0}, "max_step_time_ms"),
        ({"block": None}, "block space or a macro space"),
    ],
)
def test_settings_that_make_no_search_are_refused(
    config: SearchConfig, change: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        replace(config, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"max_evaluations": 0}, "max_evaluations"), ({"patience": -1}, "patience")],
)
def test_a_search_that_could_not_end_rightly_is_refused(change: dict[str, int], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        StopCriterion(**change)
