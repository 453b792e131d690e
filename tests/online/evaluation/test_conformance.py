"""The protocol of predictors; new entries of the catalogue are tested automatically."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save

from nasoa.errors import InvalidInput
from nasoa.online.evaluation.catalogue import available, make, predictor_class
from nasoa.online.evaluation.progressive import evaluate, ordering
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.layout import Layout
from nasoa.online.mixture.protocol import RowPredictor

NAMES = available()


def test_baselines_of_the_extra_are_known() -> None:
    assert {"default", "ridge", "adaptive_mlp_paper", "extra_trees"} <= set(NAMES)


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def learned(name: str, stream: Any, count: int) -> RowPredictor:
    predictor = make(name, stream.layout, seed=3)
    predictor.learn(stream.rows[:count], stream.targets[:count])
    return predictor


def is_valid(predicted: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(predicted).all() and (predicted >= 0).all() and (predicted <= 1).all())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_predicts_from_nearly_nothing(name: str, stream: Any, count: int) -> None:
    predictor = learned(name, stream, count)
    predicted = predictor.predict(stream.rows)
    assert predicted.shape == (40,)
    assert is_valid(predicted)
    assert isinstance(predictor.predict(stream.rows[0]), float)
    assert predictor.predict(stream.rows[:0]).shape == (0,)


def test_a_row_alone_is_predicted_as_among_others(name: str, stream: Any) -> None:
    predictor = learned(name, stream, 30)
    together = predictor.predict(stream.rows)
    assert is_valid(together)
    alone = [predictor.predict(row) for row in stream.rows[:6]]
    np.testing.assert_allclose(together[:6], alone, atol=1e-9)


def test_no_prediction_depends_on_what_comes_later(name: str, stream: Any) -> None:
    """Rows that are only predicted, or learned later, have no effect."""
    plain, watched = make(name, stream.layout, seed=3), make(name, stream.layout, seed=3)
    for step in range(0, 24, 6):
        part = slice(step, step + 6)
        watched.predict(stream.rows[step + 6 :])
        one, other = plain.predict(stream.rows[part]), watched.predict(stream.rows[part])
        np.testing.assert_array_equal(one, other)
        plain.learn(stream.rows[part], stream.targets[part])
        watched.learn(stream.rows[part], stream.targets[part])


def test_no_error_depends_on_what_comes_later(name: str, stream: Any) -> None:
    """The same in an evaluation: later rows and targets do not change earlier errors."""
    rows, targets = stream.rows[:30].copy(), stream.targets[:30].copy()
    groups = rows[:, 2].astype(np.int64)
    table = TaskTable(stream.layout, rows, targets, groups, np.arange(len(rows)), num_duplicates=0)
    later = ordering(table, "random_order", 5)[6:]
    other_rows, other_targets = rows.copy(), targets.copy()
    other_rows[later] = [5.0, 123.0, 9.0]
    other_targets[later] = 1.0 - targets[later]
    other = TaskTable(
        stream.layout, other_rows, other_targets, groups, table.runs, num_duplicates=0
    )
    found = [evaluate(name, one, "random_order", 5) for one in (table, other)]
    assert found[0].mae_first_20 == found[1].mae_first_20
    assert found[0].mae != found[1].mae


def test_rows_learned_together_are_learned_in_order(name: str, stream: Any) -> None:
    together, one_by_one = learned(name, stream, 16), make(name, stream.layout, seed=3)
    for row, target in zip(stream.rows[:16], stream.targets[:16], strict=True):
        one_by_one.learn(row, float(target))
    np.testing.assert_array_equal(together.predict(stream.rows), one_by_one.predict(stream.rows))


def test_what_is_saved_stays_as_it_was(name: str, stream: Any) -> None:
    """A state is a copy: further learning does not change it."""
    predictor = learned(name, stream, 12)
    state = predictor.state()
    kept = load(save(state))
    predictor.learn(stream.rows[12:20], stream.targets[12:20])
    assert set(state) == set(kept)
    for part, values in kept.items():
        np.testing.assert_array_equal(state[part], values)


@pytest.mark.parametrize("count", [0, 1])
def test_saved_when_it_knew_nearly_nothing(name: str, stream: Any, count: int) -> None:
    predictor = learned(name, stream, count)
    other = predictor_class(name).from_state(load(save(predictor.state())))
    for each in (predictor, other):
        each.learn(stream.rows[count : count + 4], stream.targets[count : count + 4])
    np.testing.assert_allclose(
        other.predict(stream.rows), predictor.predict(stream.rows), atol=1e-8
    )


def test_saved_and_loaded_it_goes_on_equally(name: str, stream: Any) -> None:
    predictor = learned(name, stream, 26)
    other = predictor_class(name).from_state(load(save(predictor.state())))
    assert type(other) is type(predictor)
    np.testing.assert_allclose(
        other.predict(stream.rows), predictor.predict(stream.rows), atol=1e-8
    )
    for each in (predictor, other):
        each.learn(stream.rows[26:32], stream.targets[26:32])
    np.testing.assert_allclose(
        other.predict(stream.rows), predictor.predict(stream.rows), atol=1e-6
    )


def test_the_same_seed_gives_the_same_predictor(name: str, stream: Any) -> None:
    one, other = learned(name, stream, 26), learned(name, stream, 26)
    np.testing.assert_array_equal(one.predict(stream.rows), other.predict(stream.rows))


def test_survives_unseen_categories_and_missing_values(name: str, stream: Any) -> None:
    predictor = learned(name, stream, 20)
    strange = np.array([[99.0, 1e-3, 77.0], [np.nan, np.nan, np.nan], [0.0, 1e9, 1.0]])
    assert is_valid(predictor.predict(strange))
    predictor.learn(strange, np.array([0.1, 0.9, 0.5]))
    assert is_valid(predictor.predict(np.vstack([strange, stream.rows])))


def test_survives_constant_and_empty_columns(name: str) -> None:
    layout = Layout(num_columns=4, categories=(0, 3), group=0)
    predictor = make(name, layout, seed=1)
    rows = np.tile([0.0, 7.0, np.nan, np.nan], (20, 1))
    predictor.learn(rows, np.full(20, 0.75))
    assert predictor.predict(rows[0]) == pytest.approx(0.75, abs=0.25)
    strange = np.array([[1.0, 7.0, 3.0, 2.0], [0.0, -4.0, np.nan, np.nan]])
    assert is_valid(predictor.predict(strange))


def test_works_without_a_group(name: str) -> None:
    layout = Layout(num_columns=1)
    predictor = make(name, layout, seed=1)
    rows = np.linspace(0.0, 1.0, 15)[:, None]
    predictor.learn(rows, 0.2 + 0.5 * rows[:, 0])
    assert is_valid(predictor.predict(rows))


def test_wrong_input_teaches_nothing(name: str, stream: Any) -> None:
    predictor = learned(name, stream, 12)
    before = predictor.predict(stream.rows)
    for rows, targets in (
        (stream.rows[:2], np.array([0.5, 1.5])),
        (stream.rows[:2], np.array([0.5, np.nan])),
        (stream.rows[:2], np.array([0.5])),
        (stream.rows[:2, :2], np.array([0.5, 0.5])),
        (np.array([[0.0, np.inf, 0.0]]), np.array([0.5])),
    ):
        with pytest.raises(InvalidInput):
            predictor.learn(rows, targets)
    np.testing.assert_array_equal(before, predictor.predict(stream.rows))
