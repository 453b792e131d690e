"""What nasoa is to be ahead of, and whether it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.final.table import interval, sets

BUDGETS = (1.0, 4.0)
SEARCHES = {"random": "random search", "bohb": "BOHB"}
SCOPES = {
    "hyperparameters": "of hyperparameters",
    "models": "of models and hyperparameters",
    "peers": "of the other series' models and hyperparameters",
}

Record = Mapping[str, Any]


def goals(found: Mapping[str, Any], limit: str) -> list[list[str]]:
    """Return a line for each goal: what, the limit, nasoa's lead, its interval, and whether met.

    What holds on some of the data sets only is marked, so that it does not pass for the goal.

    Args:
        found: the result of the comparison.
        limit: name of the limit.
    """
    lines = []
    for what, (method, budget) in _methods(found).items():
        record = record_of(found, limit, method, budget)
        if record is None or record["nasoa_ahead_by"] is None:
            lines.append([what, limit, "", "", "not measured"])
            continue
        lead = record["nasoa_ahead_by"]
        is_met = "yes" if lead > 0 else "no"
        if record["data_sets"] < record["of_data_sets"]:
            is_met += f", on {sets(record)}"
        lines.append([what, limit, f"{lead:+.3f}", interval(record, 3), is_met])
    return lines


def limits(budget: float) -> str:
    """Return a budget in words."""
    return f"{budget:g} limit{'s' if budget > 1 else ''}"


def record_of(
    found: Mapping[str, Any], limit: str, method: str, budget: float | None
) -> Record | None:
    """Return the record of a method at a budget; None if it was not measured."""
    key = (limit, method, budget)
    for record in found["summary"]:
        if (record["limit"], record["method"], record["budget"]) == key:
            own: Record = record
            return own
    return None


def _methods(found: Mapping[str, Any]) -> dict[str, tuple[str, float | None]]:
    """Return the method and the budget of each goal."""
    measured = {record["method"] for record in found["summary"]}
    series: dict[str, tuple[str, float | None]] = {
        f"the best default of {name}": (f"default:{name}", None) for name in found["models"]
    }
    searches = {
        f"{name} {shown}, {limits(budget)}": (f"{kind}:{scope}", budget)
        for kind, name in SEARCHES.items()
        for scope, shown in SCOPES.items()
        if scope != "peers" or f"{kind}:{scope}" in measured
        for budget in BUDGETS
    }
    return {**series, **searches, "the paper's method": ("paper", None)}
