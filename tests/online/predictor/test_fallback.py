"""Best on average, relative to what the default formula expects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasoa.online.predictor.experience_rows import ExperienceRows, kinds
from nasoa.online.predictor.fallback import BestOnAverage
from nasoa.online.predictor.known_runs import KnownRuns
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import tabulate
from nasoa.records import BN_FIXED, BN_TRAINED, MetaFeatures, Regime, ZooEntry

PRIOR = DefaultPrior.packaged()


@pytest.fixture
def table(meta: MetaFeatures, zoo: dict[str, ZooEntry], regime: Regime) -> RunTable:
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
    found = tabulate(meta, [zoo[r.model] for r in regimes], regimes)
    return found.with_columns(defaults=PRIOR.log_odds(found))


def known(table: RunTable, task: str) -> KnownRuns:
    """Return the runs as runs of a task."""
    return ExperienceRows().encode_runs(table.with_columns(task=task))


def test_length_and_small_differences_of_the_rate_are_one_kind(table: RunTable) -> None:
    found = kinds(table)
    assert found[0] == found[1] == found[2]
    assert len(set(found[2:].tolist())) == len(found[2:])


def test_what_is_unknown_is_left_to_the_defaults(table: RunTable) -> None:
    expected = BestOnAverage().expected(known(table, "t"))
    np.testing.assert_array_equal(expected, table.defaults)


def test_a_kind_gets_what_it_brought(table: RunTable) -> None:
    average = BestOnAverage()
    for number in range(30):
        runs = known(table, f"t{number}")
        for place, added in ((0, 1.0), (3, -1.0)):
            accuracy = 1.0 / (1.0 + np.exp(-(table.defaults[place] + added)))
            average.learn(runs.at(place), float(accuracy))
    added = average.expected(known(table, "new")) - table.defaults
    np.testing.assert_allclose(added[:4], [1.0, 1.0, 1.0, -1.0], atol=0.15)
    np.testing.assert_allclose(added[4:], 0.0, atol=0.15)


def test_a_task_keeps_its_level(table: RunTable) -> None:
    average = BestOnAverage()
    own = {task: known(table, task).at(0) for task in ("easy", "new", "hard")}
    for _ in range(10):
        average.learn(own["easy"], 0.99)
        average.learn(own["hard"], 0.3)
    found = {task: average.expected(run)[0] for task, run in own.items()}
    assert found["easy"] > found["new"] > found["hard"]
    assert found["easy"] < log_odds(1.0)


def test_state_is_everything(table: RunTable) -> None:
    average = BestOnAverage()
    runs = known(table, "t")
    for place in range(len(table)):
        average.learn(runs.at(place), 0.4)
    again = BestOnAverage.from_state(average.state())
    np.testing.assert_array_equal(again.expected(runs), average.expected(runs))
    empty = BestOnAverage.from_state(BestOnAverage().state())
    np.testing.assert_array_equal(empty.expected(runs), table.defaults)
