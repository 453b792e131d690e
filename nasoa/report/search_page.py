"""The page about a search: its front, the front's progress, and every evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nasoa.offline.front import front
from nasoa.offline.search import Progress, SearchConfig
from nasoa.offline.signal_columns import ACCURACY, Column, signal_columns
from nasoa.records import Evaluation
from nasoa.report.axes import Axes, Tick, round_ticks
from nasoa.report.page import document, html_table

MAX_ROWS = 500
AXES = Axes(480, 320)
PROGRESS_AXES = Axes(480, 220)
COSTS = ("step ms", "inference ms", "MMAC", "Mparam")


def search_page(
    name: str,
    config: SearchConfig,
    evaluations: Sequence[Evaluation],
    progress: Sequence[Progress],
) -> str:
    """Return a document about all results of a search."""
    if not evaluations:
        return document(f"Search {name}", "<p>Nothing has been evaluated yet.</p>")
    members = front(evaluations)
    columns = signal_columns(config.evaluate.signal)
    name_of_score = columns[0].name
    failed = sum(bool(evaluation.failure) for evaluation in evaluations)
    space = "blocks" if config.block else "macro structures"
    parts = [
        f"<p>A search of {space}: {len(evaluations)} architectures evaluated in {len(progress)} "
        f"generations, {failed} failed or too slow, {len(members)} on the front.</p>",
        f"<h2>{_capital(name_of_score)} against step time</h2>",
        '<p class="soft">Each dot is an architecture; those that no other beats in both are '
        "joined. Point at a dot to see its encoding.</p>",
        scatter(evaluations, column=columns[0]),
        "<h2>Progress of the front</h2>",
        '<p class="soft">Hypervolume: the fraction of the rectangle below the largest step time '
        f"and above {name_of_score} 0 that the front dominates.</p>",
        _progress(progress),
        "<h2>Architectures</h2>",
        _rows(evaluations, members, columns),
    ]
    return document(f"Search {name}", "\n".join(parts))


def scatter(
    evaluations: Sequence[Evaluation],
    others: Sequence[tuple[str, float, float]] = (),
    column: Column = ACCURACY,
) -> str:
    """Draw what a search maximised against step time (SVG), with the front joined.

    Args:
        evaluations: evaluations to draw as dots; those that failed are left out.
        others: name, step time in ms and value of architectures to compare with, as diamonds.
        column: the value of the search's signal, and its name.
    """
    good = [e for e in evaluations if e.accuracy is not None]
    times = [e.costs.step_time_ms for e in good] + [other[1] for other in others]
    longest = 1.05 * max(times, default=1.0)
    members = front(good)
    before, after = AXES.draw(
        title=f"{_capital(column.name)} against step time",
        described=f"{len(good)} architectures, {len(members)} on the front",
        x_title="step time in ms",
        y_title=column.name,
        ticks=round_ticks(longest),
    )

    def at(e: Evaluation) -> tuple[float, float]:
        return AXES.x(e.costs.step_time_ms / longest), AXES.y(column.value(e) or 0.0)

    places = [at(e) for e in members]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    on_front = {e.encoding for e in members}
    marks = [f'<polyline class="curve" points="{line}"/>']
    for e in sorted(good, key=lambda e: e.encoding in on_front):
        kind = "dot" if e.encoding in on_front else "dot pale"
        x, y = at(e)
        marks.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>'
            f"{escape(e.encoding)}: {column.name} {column.text(e)}, "
            f"{e.costs.step_time_ms:.1f} ms</title></circle>"
        )
    for name, time_ms, value in others:
        x, y = AXES.x(time_ms / longest), AXES.y(value)
        marks.append(
            f'<path class="other" d="M{x:.1f} {y - 6:.1f} l6 6 l-6 6 l-6 -6 z">'
            f"<title>{escape(name)}: {column.name} {value:.3f}, {time_ms:.1f} ms</title></path>"
        )
    return before + "".join(marks) + after


def _progress(progress: Sequence[Progress]) -> str:
    last = max(len(progress), 1)
    step = max(1, -(-last // 12))
    ticks = [Tick(n / last, str(n)) for n in range(step, last + 1, step)]
    axes = PROGRESS_AXES
    before, after = axes.draw(
        title="Hypervolume of the front",
        described=f"after {last} generations {progress[-1].hypervolume:.4f}",
        x_title="generation",
        y_title="hypervolume",
        ticks=ticks,
    )
    places = [(axes.x(row.generation / last), axes.y(row.hypervolume)) for row in progress]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>generation {row.generation}: '
        f"{row.hypervolume:.4f}, {row.front_size} on the front of {row.evaluated}</title></circle>"
        for row, (x, y) in zip(progress, places, strict=True)
    )
    return f'{before}<polyline class="curve" points="{line}"/>{dots}{after}'


def _rows(
    evaluations: Sequence[Evaluation], members: Sequence[Evaluation], columns: Sequence[Column]
) -> str:
    on_front = {e.encoding for e in members}
    ordered = sorted(
        evaluations,
        key=lambda e: (e.encoding not in on_front, bool(e.failure), -(columns[0].value(e) or 0.0)),
    )
    note = (
        f'<p class="soft">The best {MAX_ROWS} of {len(ordered)}.</p>'
        if len(ordered) > MAX_ROWS
        else ""
    )
    rows = [
        (
            e.encoding,
            *(column.text(e) for column in columns),
            f"{e.costs.step_time_ms:.1f}",
            f"{e.costs.inference_ms:.1f}",
            f"{e.costs.macs / 1e6:.1f}",
            f"{e.costs.params / 1e6:.2f}",
            _outcome(e, on_front),
        )
        for e in ordered[:MAX_ROWS]
    ]
    numbers = [*(column.name for column in columns), *COSTS]
    return note + html_table(("architecture", *numbers, "outcome"), rows, numbers=numbers)


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _outcome(evaluation: Evaluation, on_front: set[str]) -> str:
    if evaluation.failure:
        return evaluation.failure + (f": {evaluation.detail}" if evaluation.detail else "")
    return "on the front" if evaluation.encoding in on_front else "dominated"
