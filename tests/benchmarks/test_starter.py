"""The configuration that is best on average, also where limits are short, and the summary."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.starter import accuracies, best_on_average, leads
from nasoa.errors import InvalidInput


@pytest.mark.parametrize("limit_s", [1.5, 3.0])
def test_a_limit_in_which_nothing_fits_all_data_sets(limit_s: float) -> None:
    """In 1.5 s ET-NAS-C fits some of the known data sets only, in 3 s each by other regimes."""
    configuration, accuracy = best_on_average(limit_s, ("ET-NAS-C",))
    assert configuration.model == "ET-NAS-C"
    assert 0.0 < accuracy < 1.0


def test_a_limit_that_fits_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="raise --limits"):
        best_on_average(0.4, ("ET-NAS-C",))


def test_leads_are_means_over_tasks_of_what_both_ways_ran() -> None:
    found = {("a", 15.0): (0.5, 0.4), ("b", 15.0): (0.7, 0.7), ("a", 45.0): (0.6, 0.8)}
    rows = [
        {"task": task, "limit_s": limit_s, "seed": seed, "way": way, "accuracy": accuracy + seed}
        for (task, limit_s), both in found.items()
        for way, accuracy in zip(("starter", "random"), both, strict=True)
        for seed in (1, 0)
    ]
    alone = {"task": "b", "limit_s": 45.0, "seed": 0, "way": "starter", "accuracy": 0.9}
    runs = pd.DataFrame([*rows, alone])
    lead = leads(runs, "starter", ["random"])["random"]
    assert lead["15 s"] == {"mean": 0.05, "standard_error": 0.05, "runs": 4}
    assert "45 s" not in lead  # only one task
    assert lead["all limits"] == {"mean": -0.025, "standard_error": 0.025, "runs": 6}
    first = accuracies(runs, ["starter", "random"])[0]
    assert first == {"task": "a", "limit_s": 15.0, "starter": [0.5, 1.5], "random": [0.4, 1.4]}
