"""Variants leave out the right parts."""

from __future__ import annotations

import numpy as np
import pytest

from nasoa.online.evaluation.ablation import Variant, ablate, variants
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.layout import Layout
from nasoa.online.mixture.mixture import EXPERTS, DefaultPredictor


def test_each_expert_is_alone_once() -> None:
    layout = Layout(num_columns=2, categories=(1,), group=1)
    left = [set(DefaultPredictor(layout, without=v.without).weights) for v in variants()]
    everyone = set(EXPERTS)
    for expert in EXPERTS:
        assert left.count({expert}) == 1
    assert left.count(everyone) == 2  # the whole predictor, and the one without fallback
    assert len({v.name for v in variants()}) == len(variants())


def test_without_the_fallback_only_the_choice_is_measured_again() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 4)
    rows = np.column_stack([rng.uniform(size=8), groups])
    layout = Layout(num_columns=2, categories=(1,), group=1)
    table = TaskTable(layout, rows, rng.uniform(size=8), groups, np.arange(8), 0)
    others = tuple(expert for expert in EXPERTS if expert != "hierarchical")
    kept = Variant(name="hierarchical", without=others)
    choice = Variant(name="choice", without=others, falls_back=False)
    found = [ablate(v, table, feedback=2, draws=1, seed=0) for v in (kept, choice)]
    assert set(found[0].error) == {"random_order", "group_by_group"}
    assert found[1].error == {}
    # Two tasks are too few for the fallback to be used, so the choices are the same.
    assert found[0].regret == pytest.approx(found[1].regret)
