"""Analyse what makes the architectures of a search efficient to train."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.offline.analysis import Regression, regress, step_time_correlations
from nasoa.steps.searches import read_search


@dataclass(frozen=True, kw_only=True)
class SearchAnalysis:
    """The regression of Table 11 on a search, and how step time correlates with the other costs.

    `step_time_correlations`: Pearson's correlation with step time, by name of the cost.
    """

    search: str
    regression: Regression
    step_time_correlations: dict[str, float]


def analyse_search(store_uri: str, search_id: str) -> SearchAnalysis:
    """Analyse the architectures that a search has evaluated so far.

    Raises:
        InvalidInput: there is no such search, or it has too few architectures; see `regress`.
    """
    search = read_search(store_uri, search_id)
    evaluations = list(search.evaluations.values())
    level = "macro" if search.config.block is None else "block"
    return SearchAnalysis(
        search=search.search_id,
        regression=regress(evaluations, level),
        step_time_correlations=step_time_correlations(evaluations),
    )
