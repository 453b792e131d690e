"""The best on average, over the table of defaults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasoa.online.predictor.fallback import AverageRegime, kinds
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.regime_table import RegimeTable, tabulate
from nasoa.records import BN_FIXED, BN_TRAINED, MetaFeatures, Regime, ZooEntry

PRIOR = DefaultPrior.packaged()


@pytest.fixture
def table(meta: MetaFeatures, zoo: dict[str, ZooEntry], regime: Regime) -> RegimeTable:
    regimes = [
        regime,
        replace(regime, iterations=100),
        replace(regime, lr=0.11),
        replace(regime, lr=0.01),
        replace(regime, frozen_stages=2),
        replace(regime, batch_size=32),
        replace(regime, lr_schedule="one_cycle"),
        replace(regime, model="large"),
        replace(regime, fitted_head=True),
        replace(regime, bn=BN_TRAINED),
        replace(regime, bn=BN_FIXED),
        replace(regime, resolution=96),
        replace(regime, resolution=32),
    ]
    return tabulate(meta, [zoo[r.model] for r in regimes], regimes)


def test_length_and_small_differences_of_the_rate_are_one_kind(table: RegimeTable) -> None:
    found = kinds(table)
    assert found[0] == found[1] == found[2]
    assert len(set(found[2:].tolist())) == len(found[2:])


def test_what_is_unknown_is_left_to_the_defaults(table: RegimeTable) -> None:
    defaults = PRIOR.log_odds(table)
    np.testing.assert_array_equal(AverageRegime().expected(table, ["t"], defaults), defaults)


def test_a_kind_gets_what_it_brought(table: RegimeTable) -> None:
    average = AverageRegime()
    defaults = PRIOR.log_odds(table)
    for number in range(30):
        for place, added in ((0, 1.0), (3, -1.0)):
            own = table.take(np.array([place]))
            accuracy = 1.0 / (1.0 + np.exp(-(defaults[place] + added)))
            average.learn(own, f"t{number}", defaults[place : place + 1], float(accuracy))
    added = average.expected(table, ["new"], defaults) - defaults
    np.testing.assert_allclose(added[:4], [1.0, 1.0, 1.0, -1.0], atol=0.15)
    np.testing.assert_allclose(added[4:], 0.0, atol=0.15)


def test_a_task_keeps_its_level(table: RegimeTable) -> None:
    average = AverageRegime()
    own, expected = table.take(np.array([0])), PRIOR.log_odds(table)[:1]
    for _ in range(10):
        average.learn(own, "easy", expected, 0.99)
        average.learn(own, "hard", expected, 0.3)
    found = {t: average.expected(own, [t], expected)[0] for t in ("easy", "new", "hard")}
    assert found["easy"] > found["new"] > found["hard"]
    assert found["easy"] < log_odds(1.0)


def test_state_is_everything(table: RegimeTable) -> None:
    average = AverageRegime()
    defaults = PRIOR.log_odds(table)
    for place in range(len(table)):
        average.learn(table.take(np.array([place])), "t", defaults[place : place + 1], 0.4)
    again = AverageRegime.from_state(average.state())
    np.testing.assert_array_equal(
        again.expected(table, ["t"], defaults), average.expected(table, ["t"], defaults)
    )
    empty = AverageRegime.from_state(AverageRegime().state())
    np.testing.assert_array_equal(empty.expected(table, ["t"], defaults), defaults)
