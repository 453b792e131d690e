"""Trees taken out of scikit-learn's models predict as these do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

from nasoa.online.mixture.boosting import BoostedTrees, taken_out
from nasoa.online.mixture.forest import Forest


def draw(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two categories, two numbers, some of them missing."""
    rng = np.random.default_rng(seed)
    columns = np.column_stack(
        [
            rng.integers(0, 40, num_rows),
            rng.integers(0, 3, num_rows),
            rng.normal(size=(num_rows, 2)),
        ]
    ).astype(np.float64)
    targets = np.sin(columns[:, 0]) + columns[:, 1] * columns[:, 2]
    columns[rng.uniform(size=columns.shape) < 0.1] = np.nan
    return columns, np.nan_to_num(targets)


def test_boosted_trees_predict_as_scikit_learn_does() -> None:
    columns, targets = draw(300, 0)
    model = HistGradientBoostingRegressor(
        categorical_features=[0, 1], max_iter=20, min_samples_leaf=5, early_stopping=False
    ).fit(columns, targets)
    asked, _ = draw(200, 1)
    np.testing.assert_allclose(
        taken_out(model, 4, 40).predict(asked), model.predict(asked), atol=1e-9
    )


def test_codes_need_not_be_whole_ranges() -> None:
    """Categories far apart, and one never seen, which counts as missing."""
    columns, targets = draw(200, 0)
    spread = columns.copy()
    spread[:, 0] *= 1000
    near = BoostedTrees(columns, targets, [0, 1], 0)
    far = BoostedTrees(spread, targets, [0, 1], 0)
    np.testing.assert_allclose(near.predict(columns), far.predict(spread), atol=1e-12)
    unseen, missing = columns[:5].copy(), columns[:5].copy()
    unseen[:, 0], missing[:, 0] = 12345.0, np.nan
    np.testing.assert_array_equal(near.predict(unseen), near.predict(missing))


def test_categories_are_fitted() -> None:
    columns, targets = draw(400, 0)
    model = BoostedTrees(columns, targets, [0, 1], 0)
    asked, wanted = draw(200, 1)
    error = np.abs(model.predict(asked) - wanted).mean()
    assert error < 0.7 * np.abs(wanted - targets.mean()).mean()


@pytest.mark.parametrize("num_rows", [2, 60])
def test_forest_predicts_as_scikit_learn_does(num_rows: int) -> None:
    rng = np.random.default_rng(0)
    columns, targets = rng.normal(size=(num_rows, 4)), rng.uniform(size=num_rows)
    model = ExtraTreesRegressor(60, min_samples_leaf=2, max_features=0.5, random_state=5)
    asked = rng.normal(size=(30, 4))
    np.testing.assert_allclose(
        Forest(columns, targets, 5).predict(asked),
        model.fit(columns, targets).predict(asked),
        atol=1e-7,
    )


@pytest.mark.parametrize("kind", ["boosted", "forest"])
def test_restored_trees_predict_equally(kind: str) -> None:
    columns, targets = draw(120, 0)
    model: BoostedTrees | Forest
    if kind == "boosted":
        model = BoostedTrees(columns, targets, [0, 1], 0)
    else:
        columns = np.nan_to_num(columns)
        model = Forest(columns, targets, 0)
    again = type(model).from_state(model.state())
    np.testing.assert_array_equal(again.predict(columns), model.predict(columns))
