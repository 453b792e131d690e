"""How well the predictor knows: predictions against outcomes, in the page about a store."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.records import Experience
from nasoa.report.charts import predicted_against_reached
from nasoa.report.contents import StoreContents
from nasoa.report.known_regret import known_regrets
from nasoa.report.over_time import coverage_chart, regret_chart, told_means
from nasoa.report.page import chart, charts, html_table, paragraph
from nasoa.report.version_charts import Missed, draw_errors, weight_chart
from nasoa.report.version_row import VersionRow, figure, lineage
from nasoa.report.words import minute

EXPECTED_COVERAGE = 0.9
MAX_DOTS = 500
MAX_VERSIONS = 100
VERSION_HEADER = (
    "version",
    "made by",
    "tasks learned",
    "recent error",
    "heaviest expert",
    "made at (UTC)",
)


def experience_section(contents: StoreContents) -> str:
    """Return the charts of all fine-tunes of a store, and the versions of its predictor."""
    drawn = [*_outcomes(contents), *_weights(contents)]
    parts = [charts(drawn)] if drawn else []
    if contents.versions:
        parts.append(_versions(contents.versions))
    else:
        parts.append(paragraph("No version of the predictor can be read."))
    return "".join(parts)


def coverage(contents: StoreContents) -> list[bool]:
    """Return whether outcomes were in the interval of their prediction, where it is known."""
    found = ((contents.intervals.get(e.task.task_id), e.accuracy) for e in contents.experiences)
    return [
        interval[0] <= accuracy <= interval[1]
        for interval, accuracy in found
        if interval is not None
    ]


def _outcomes(contents: StoreContents) -> list[str]:
    """Return the charts that need fine-tunes; those without data are left out."""
    experiences = contents.experiences
    if not experiences:
        return []
    drawn = [
        chart(
            predicted_against_reached(experiences[-MAX_DOTS:], contents.intervals),
            "Each dot is a fine-tune, above the diagonal if it was better than predicted. "
            "Horizontal lines are 90 % intervals, drawn for up to 40 fine-tunes; orange diamonds "
            "are outcomes outside theirs. The worst prediction is named.",
        ),
        chart(
            draw_errors(_missed(experiences), _alarms(contents)),
            f"Absolute error of the predicted accuracy. "
            f"{told_means(len(experiences))} At a dashed line the drift alarm "
            "rang, as errors were larger than before.",
        ),
    ]
    inside = coverage(contents)
    if inside:
        text = f"Fraction of outcomes inside their 90 % interval. {told_means(len(inside))}"
        drawn.append(chart(coverage_chart(inside, EXPECTED_COVERAGE), text))
    regrets = known_regrets(experiences)
    if regrets:
        text = (
            "Known regret: how much more accurate the best other fine-tune of the same data was "
            "that would have fitted the time limit. Other regimes were not tried, so the regret "
            f"is at least this. {told_means(len(regrets))}"
        )
        drawn.append(chart(regret_chart(regrets), text))
    return drawn


def _missed(experiences: Sequence[Experience]) -> list[Missed]:
    return [
        Missed(
            number,
            abs(e.predicted_accuracy - e.accuracy),
            e.task.dataset,
            f"predicted by version {e.predictor_version}",
        )
        for number, e in enumerate(experiences, start=1)
    ]


def _alarms(contents: StoreContents) -> list[tuple[int, int]]:
    """Return where the drift alarm rang: the number of the fine-tune, and the version."""
    numbers = {e.task.task_id: i for i, e in enumerate(contents.experiences, start=1)}
    alarms = []
    for version in contents.versions:
        first = version.num_errors - len(version.errors) + 1
        for at in version.rang_at:
            task_id = version.new[at - first] if 0 <= at - first < len(version.new) else ""
            if task_id in numbers:
                alarms.append((numbers[task_id], version.version))
    return alarms


def _weights(contents: StoreContents) -> list[str]:
    drawn = []
    if any(version.weights for version in contents.versions):
        text = "Weights of the predictor's experts after each version; the largest are named."
        drawn.append(chart(weight_chart(lineage(contents.versions)), text))
    if any(version.weights for version in contents.paper_versions):
        text = (
            "alpha (Eq. 4): weights of the depths of the adaptive MLP, which chooses for "
            "--method paper, after each version; the largest are named."
        )
        drawn.append(chart(weight_chart(lineage(contents.paper_versions), "alpha"), text))
    return drawn


def _versions(versions: Sequence[VersionRow]) -> str:
    shown = versions[-MAX_VERSIONS:]
    note = (
        f" The newest {len(shown)} of {len(versions)} versions."
        if len(shown) < len(versions)
        else ""
    )
    rows = [
        (
            v.version,
            v.made_by,
            v.num_learned,
            figure(v.mean_abs_error_recent),
            v.heaviest,
            minute(v.created_at),
        )
        for v in reversed(shown)
    ]
    text = (
        "Recent error: mean of the latest 50 absolute errors of predictions made before their "
        f"outcome was known. Heaviest expert: that of the largest weight.{note}"
    )
    table = html_table(VERSION_HEADER, rows, ("version", "tasks learned", "recent error"))
    count = "1 version" if len(shown) == 1 else f"{len(shown)} versions"
    return (
        f"<details><summary>{count} of the predictor</summary>{paragraph(text, soft=True)}{table}"
        "</details>"
    )
