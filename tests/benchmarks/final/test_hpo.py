"""What every search does, and the loop that runs it; accuracies are a function of the regime."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.final.hpo import FRACTIONS, RandomSearch, Search, Trial, run_search
from benchmarks.final.space import SearchSpace
from benchmarks.final.subject import Subject

LIBRARIES = {"BohbSearch": ("bohb", "syne_tune"), "TpeSearch": ("tpe", "optuna")}
Begin = Callable[[SearchSpace, int], Search]


def of_library(name: str) -> Begin:
    module, library = LIBRARIES[name]
    pytest.importorskip(library, reason=f"{library} is of nasoa[benchmarks]")
    found: Begin = getattr(importlib.import_module(f"benchmarks.final.{module}"), name)
    return found


def accuracy(trial: Trial) -> float:
    """Best at a rate of 0.02 with two frozen stages of ET-NAS-A; longer trainings are better."""
    configuration = trial.configuration
    off = abs(math.log10(configuration.lr / 0.02)) + abs(configuration.frozen_stages - 2) / 2
    of_model = 0.0 if configuration.model == "ET-NAS-A" else 0.2
    return 0.5 - 0.1 * off - of_model + 0.3 * trial.fraction


def trials_of(search: Search, count: int) -> list[Trial]:
    found = []
    for _ in range(count):
        trial = search.ask()
        assert trial is not None
        search.tell(accuracy(trial))
        found.append(trial)
    return found


def test_random_search_tries_everything_once(subject: Subject) -> None:
    space = SearchSpace(subject, ("ET-NAS-A",), 1.0)
    search = RandomSearch(space, 0)
    found = trials_of(search, len(space))
    assert len({trial.configuration for trial in found}) == len(space)
    assert {trial.fraction for trial in found} == {1.0}
    assert search.ask() is None


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_seed_gives_the_same_search_whatever_others_sample(space: SearchSpace, name: str) -> None:
    begin = of_library(name)
    first = trials_of(begin(space, 3), 20)
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert trials_of(begin(space, 3), 20) == first
    assert np.random.random() == expected  # noqa: NPY002
    assert trials_of(begin(space, 4), 20) != first


@pytest.mark.parametrize("name", LIBRARIES)
def test_halving_promotes_the_better_ones(space: SearchSpace, name: str) -> None:
    """A configuration gets twice the time as long as it is among the better half."""
    found = trials_of(of_library(name)(space, 0), 60)
    assert all(trial.configuration in space for trial in found)
    begun = [
        after.fraction
        for before, after in zip([None, *found], found, strict=False)
        if before != replace(after, fraction=after.fraction / 2)
    ]
    # BOHB begins all configurations at the lowest rung, Hyperband's brackets at one each.
    assert set(begun) == ({0.25} if name == "BohbSearch" else set(FRACTIONS))
    assert {trial.fraction for trial in found} == set(FRACTIONS)
    quarter = [trial for trial in found if trial.fraction == 0.25]
    promoted = {trial.configuration for trial in found if trial.fraction > 0.25}
    better = [accuracy(trial) for trial in quarter if trial.configuration in promoted]
    worse = [accuracy(trial) for trial in quarter if trial.configuration not in promoted]
    assert worse
    assert np.mean(better) > np.mean(worse)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_search_learns(subject: Subject, name: str) -> None:
    """Its later configurations are better than those of random search."""
    space = SearchSpace(subject, ("ET-NAS-A", "mobilenet_v3_small"), 4.0)
    at_random = np.mean([accuracy(trial) for trial in trials_of(RandomSearch(space, 0), 400)])
    found = trials_of(of_library(name)(space, 1), 100)[50:]
    later = {trial.configuration for trial in found}
    assert np.mean([accuracy(Trial(configuration)) for configuration in later]) > at_random + 0.05


def test_a_search_ends_with_its_budget(space: SearchSpace) -> None:
    made: list[tuple[int, Trial]] = []

    def make(number: int, trial: Trial) -> dict[str, Any]:
        made.append((number, trial))
        return {"val_accuracy": accuracy(trial), "elapsed_s": 4.0}

    assert run_search(RandomSearch(space, 0), 10.0, make) == 3
    assert [number for number, _ in made] == [0, 1, 2]
    assert [trial for _, trial in made] == trials_of(RandomSearch(space, 0), 3)
