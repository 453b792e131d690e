"""Analyse what makes the architectures of a search efficient to train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasoa.errors import InvalidInput
from nasoa.offline.analysis import Regression, regress, step_time_correlations
from nasoa.offline.block_complexity import BlockTrend, block_trend
from nasoa.records import Evaluation
from nasoa.steps.searches import read_search


@dataclass(frozen=True, kw_only=True)
class SearchAnalysis:
    """The regression of Table 11 on a search, and how step time correlates with the other costs.

    `step_time_correlations`: Pearson's correlation with step time, by name of the cost.
    `block_trend`: whether larger models on the front have more complex blocks; None for a macro
    search, and where `no_block_trend` says why the front of a block search does not tell.
    """

    search: str
    regression: Regression
    step_time_correlations: dict[str, float]
    block_trend: BlockTrend | None = None
    no_block_trend: str = ""


def analyse_search(store_uri: str, search_id: str) -> SearchAnalysis:
    """Analyse the architectures that a search has evaluated so far.

    Raises:
        InvalidInput: there is no such search, or it has too few architectures; see `regress`.
    """
    search = read_search(store_uri, search_id)
    evaluations = list(search.evaluations.values())
    level = "macro" if search.config.block is None else "block"
    trend, reason = _trend(evaluations) if level == "block" else (None, "")
    return SearchAnalysis(
        search=search.search_id,
        regression=regress(evaluations, level),
        step_time_correlations=step_time_correlations(evaluations),
        block_trend=trend,
        no_block_trend=reason,
    )


def _trend(evaluations: Sequence[Evaluation]) -> tuple[BlockTrend | None, str]:
    """Return the trend on the front, or None and why there is none."""
    try:
        return block_trend(evaluations), ""
    except InvalidInput as error:
        return None, str(error)
