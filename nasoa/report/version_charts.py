"""Charts of a predictor's versions as inline SVG: errors and expert weights over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from nasoa.report.axes import Axes, Tick, count_ticks
from nasoa.report.over_time import HEIGHT, WIDTH, means, thinned
from nasoa.report.version_row import VersionRow

MAX_DOTS, MAX_POINTS = 500, 400
NAMED = 4
LABEL_HEIGHT = 15
MAX_ALARMS = 5
# Heaviest first; colours and dashes vary together, so that colour is not needed to tell them apart.
LINES = (
    "",
    'style="stroke: var(--second)"',
    'stroke-dasharray="7 4"',
    'style="stroke: var(--second)" stroke-dasharray="7 4"',
)
OTHER_LINE = 'style="stroke: var(--soft); stroke-width: 1; opacity: .6"'


@dataclass(frozen=True)
class Missed:
    """An absolute error: its number, counted from 1, the task, and the version in words."""

    number: int
    error: float
    task: str
    version: str


def error_chart(chain: Sequence[VersionRow]) -> str:
    """Draw the absolute errors of predictions before their outcome was learned (SVG).

    Args:
        chain: versions that descend from each other, oldest first.
    """
    alarms = [(at, row.version) for row in chain for at in row.rang_at]
    return draw_errors(_missed(chain), alarms, "experiences learned")


def draw_errors(
    missed: Sequence[Missed], alarms: Sequence[tuple[int, int]], counted: str = "fine-tunes"
) -> str:
    """Draw absolute errors with their means, recently and so far (SVG).

    Args:
        missed: the errors, oldest first.
        alarms: where the drift alarm rang: the number of the error, and the version.
        counted: title of the horizontal axis.
    """
    errors = [point.error for point in missed]
    last = max((point.number for point in missed), default=1)
    axes = Axes.from_zero(WIDTH, HEIGHT, errors)
    before, after = axes.draw(
        title="Absolute error over time",
        described=f"{len(missed)} predictions"
        + (f", off by {sum(errors) / len(errors):.3f} on average" if errors else ""),
        x_title=counted,
        y_title="absolute error (accuracy)",
        ticks=count_ticks(last),
    )
    dots = [
        f'<circle class="pale" cx="{axes.x(p.number / last):.1f}" cy="{axes.y(p.error):.1f}" '
        f'r="3"><title>{escape(p.task)}, {p.version}: off by {p.error:.3f}</title></circle>'
        for p in thinned(missed, MAX_DOTS)
    ]
    marks = [_alarm(axes, at / last, version) for at, version in alarms[-MAX_ALARMS:]]
    return before + "".join([*dots, means(axes, errors), *marks]) + after


def weight_chart(chain: Sequence[VersionRow], what: str = "weight") -> str:
    """Draw the weights of the experts, one line each (SVG).

    Args:
        chain: versions that descend from each other, oldest first.
        what: title of the vertical axis.
    """
    chain = thinned(chain, MAX_POINTS)
    weights = [weight for row in chain for weight in row.weights.values()]
    axes = Axes.from_zero(WIDTH, HEIGHT, weights)
    newest = chain[-1].weights if chain else {}
    last = max(len(chain) - 1, 1)
    step = max(1, -(-len(chain) // 6))
    before, after = axes.draw(
        title="Weights of the predictor's experts",
        described="; ".join(f"{name} {weight:.2f}" for name, weight in newest.items()),
        x_title="version",
        y_title=what,
        ticks=[Tick(i / last, str(chain[i].version)) for i in range(0, len(chain), step)],
    )
    names = sorted(newest, key=lambda name: -newest[name])
    marks = []
    for rank, name in reversed(list(enumerate(names))):
        points = [
            (i / last, row.weights[name]) for i, row in enumerate(chain) if name in row.weights
        ]
        marks.append(_line(axes, points, LINES[rank] if rank < NAMED else OTHER_LINE, name))
    return before + "".join(marks) + _labels(axes, newest, names[:NAMED]) + after


def _missed(chain: Sequence[VersionRow]) -> list[Missed]:
    points = []
    for row in chain:
        first = row.num_errors - len(row.errors) + 1
        tasks = zip(row.errors, row.new, strict=False)
        points += [
            Missed(first + i, abs(e), task, f"learned by version {row.version}")
            for i, (e, task) in enumerate(tasks)
        ]
    return points


def _line(
    axes: Axes, points: Iterable[tuple[float, float]], attributes: str, name: str = ""
) -> str:
    places = [f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in thinned(list(points), MAX_POINTS)]
    if len(places) == 1:
        # A line of one point would be invisible.
        x, y = places[0].split(",")
        places.append(f"{float(x) + 6:.1f},{y}")
    title = f"<title>{escape(name)}</title>" if name else ""
    return f'<polyline class="curve" {attributes} points="{" ".join(places)}">{title}</polyline>'


def _alarm(axes: Axes, share: float, version: int) -> str:
    x, left = axes.x(share), share > 0.5
    return (
        f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{axes.y(axes.top):.1f}" '
        f'y2="{axes.y(0):.1f}"/><text class="limit-mark" x="{x + (-6 if left else 6):.1f}" '
        f'y="{axes.y(axes.top) + 12:.1f}" text-anchor="{"end" if left else "start"}">'
        f"drift alarm, version {version}</text>"
    )


def _labels(axes: Axes, weights: dict[str, float], names: Sequence[str]) -> str:
    """Label the heaviest experts at the right, without overlaps and above the axis."""
    marks = []
    highest_free = axes.y(0) - 4
    for above, name in reversed(list(enumerate(names))):
        # Labels that are placed above it need their room below the chart's upper edge.
        y = max(min(axes.y(weights[name]) - 5, highest_free), LABEL_HEIGHT * (above + 1))
        highest_free = y - LABEL_HEIGHT
        marks.append(
            f'<text class="mark" x="{axes.x(1):.1f}" y="{y:.1f}" text-anchor="end">'
            f"{escape(name)} {weights[name]:.2f}</text>"
        )
    return "".join(marks)
