"""The summary as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def markdown(records: Sequence[Mapping[str, Any]]) -> str:
    """Return a table per limit; the columns are explained in `LEGEND`."""
    limits = dict.fromkeys(record["limit"] for record in records)
    parts = [_of_limit(limit, [r for r in records if r["limit"] == limit]) for limit in limits]
    return "\n\n".join([*parts, LEGEND])


LEGEND = (
    "Cost is in limits. Accuracies are means over seeds, ± standard deviation over seeds. The "
    "mean, the cost and nasoa's lead are over the data sets on which the method and nasoa have all "
    "seeds; their number is in parentheses. The 90 % interval is over sources of images. Reaches "
    "nasoa at: least cost at which the mean accuracy is nasoa's, and how many times nasoa's cost "
    "that is."
)


def _of_limit(limit: str, records: Sequence[Mapping[str, Any]]) -> str:
    data = list(dict.fromkeys(name for record in records for name in record["data"]))
    head = [
        "method",
        "budget",
        "cost",
        *data,
        "mean (data sets)",
        "nasoa ahead",
        "reaches nasoa at",
    ]
    lines = [
        f"Limit {limit}",
        "",
        f"| {' | '.join(head)} |",
        "|---|" + "---:|" * (len(head) - 1),
    ]
    for record in records:
        cells = [
            record["method"],
            _budget(record["budget"]),
            _number(record["cost"], 2),
            *(_spread(record["data"].get(name, {}), "std") for name in data),
            mean(record),
            _ahead(record),
            _reach(record),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _budget(budget: float | None) -> str:
    return "" if budget is None else f"{budget:g}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _spread(values: Mapping[str, Any], std: str) -> str:
    if values.get("mean") is None:
        return ""
    deviation = values.get(std)
    return f"{values['mean']:.4f}" + ("" if deviation is None else f" ± {deviation:.4f}")


def mean(record: Mapping[str, Any]) -> str:
    """Return the mean of a method and the number of data sets that it is over."""
    spread = _spread(record, "std_over_seeds")
    return f"{spread} ({sets(record)})" if spread else ""


def sets(record: Mapping[str, Any]) -> str:
    """Return the number of data sets of a mean, beside nasoa's where those are more."""
    count, most = record["data_sets"], record["of_data_sets"]
    return f"{count} of {most} sets" if count < most else f"{count} sets"


def _ahead(record: Mapping[str, Any]) -> str:
    if record["method"] == "nasoa" or record["nasoa_ahead_by"] is None:
        return ""
    between = interval(record, 4)
    return f"{record['nasoa_ahead_by']:+.4f}" + (f" ({between})" if between else "")


def interval(record: Mapping[str, Any], digits: int) -> str:
    """Return the interval of nasoa's lead."""
    ends = record["nasoa_ahead_interval_90"]
    return " to ".join(f"{end:+.{digits}f}" for end in ends) if ends else ""


def _reach(record: Mapping[str, Any]) -> str:
    if "reaches_nasoa" not in record:
        return ""
    found = record["reaches_nasoa"]
    return "not" if found["cost"] is None else f"{found['cost']:.2f} ({found['ratio']:.1f} times)"
