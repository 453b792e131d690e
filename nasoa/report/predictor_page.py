"""The page about the predictor's versions: their errors, expert weights and learned tasks."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.report.page import document, html_table
from nasoa.report.version_charts import error_chart, weight_chart
from nasoa.report.version_row import VersionRow, cells, figure, lineage

MAX_ROWS = 200
TITLE = "nasoa: versions of the predictor"
HEADER = (
    "version",
    "made by",
    "tasks learned",
    "new tasks",
    "left out",
    "error",
    "error so far",
    "recent error",
    "drift alarm",
    "made at (UTC)",
)
NUMBERS = ("version", "tasks learned", "left out", "error", "error so far", "recent error")


def predictor_page(rows: Sequence[VersionRow]) -> str:
    """Return a document about the versions of a predictor, given oldest first."""
    if not rows:
        return document(TITLE, "<p>No version can be read.</p>")
    chain = lineage(rows)
    parts = [
        f"<p>{_summary(rows)}</p>",
        "<h2>Error over time</h2>",
        '<p class="soft">Each prediction is compared with the measured accuracy before it is '
        "learned from. Each dot is an experience; blue: mean of the latest 50; orange: mean so "
        "far. At a dashed line the drift alarm rang, as errors were larger than before. Versions "
        "that a rollback or a rebuild replaced are not in the chart.</p>",
        error_chart(chain),
        "<h2>Weights of the experts</h2>",
        '<p class="soft">The weights of the predictor\'s experts after each version. The largest '
        "current ones are named.</p>",
        weight_chart(chain),
        "<h2>Versions</h2>",
        _table(rows),
    ]
    return document(TITLE, "\n".join(parts))


def _summary(rows: Sequence[VersionRow]) -> str:
    newest = rows[-1]
    count = "1 version" if len(rows) == 1 else f"{len(rows)} versions"
    known = "1 task" if newest.num_learned == 1 else f"{newest.num_learned} tasks"
    text = f"{count}; the newest, {newest.version}, has learned {known}"
    text += f" and leaves out {len(newest.left_out)}." if newest.left_out else "."
    if newest.mean_abs_error_recent is not None:
        text += f" The latest predictions were off by {newest.mean_abs_error_recent:.3f} on average"
        text += f", all so far by {figure(newest.mean_abs_error_so_far)}."
    rang = [str(row.version) for row in lineage(rows) if row.rang_at]
    return text + (f" The drift alarm rang at version {', '.join(rang)}." if rang else "")


def _table(rows: Sequence[VersionRow]) -> str:
    shown = rows[-MAX_ROWS:]
    note = f" The newest {len(shown)} of {len(rows)} versions." if len(shown) < len(rows) else ""
    text = (
        '<p class="soft">Error: mean absolute error of the predictions for the new tasks, made '
        f"before they were learned.{note}</p>"
    )
    shown_cells = [
        (
            *cells(row),
            "rang" if row.rang_at else "",
            row.created_at[:16].replace("T", " "),
        )
        for row in reversed(shown)
    ]
    return text + html_table(HEADER, shown_cells, numbers=NUMBERS)
