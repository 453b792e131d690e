"""The searches in the page about a store: how the front moved, generation by generation."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nasoa.offline.front import front
from nasoa.offline.signal_columns import Column, signal_columns
from nasoa.records import Evaluation
from nasoa.report.axes import Axes, Scale, count_ticks
from nasoa.report.contents import SearchResults
from nasoa.report.over_time import thinned
from nasoa.report.page import chart, charts, html_table, paragraph

WIDTH, HEIGHT = 400, 300
MAX_SEARCHES = 8
MAX_FRONTS = 4
MAX_DOTS = 500
MAX_ROWS = 20
COSTS = ("step ms", "inference ms", "MMAC", "Mparam")


def search_section(searches: Sequence[SearchResults]) -> str:
    """Return the section about the searches of a store, at most the newest eight in detail."""
    shown = searches[-MAX_SEARCHES:]
    parts = []
    if len(shown) < len(searches):
        parts.append(paragraph(f"The newest {len(shown)} of {len(searches)} searches.", soft=True))
    return "".join([*parts, *(_search(search) for search in reversed(shown))])


def _search(search: SearchResults) -> str:
    evaluations = list(search.evaluations.values())
    members = front(evaluations)
    columns = signal_columns(search.config.evaluate.signal)
    failed = sum(bool(evaluation.failure) for evaluation in evaluations)
    space = "blocks" if search.config.block else "macro structures"
    summary = (
        f"A search of {space} on {search.config.data}: {_count(len(evaluations), 'architecture')} "
        f"evaluated in {_count(len(search.progress), 'generation')}, {failed} failed or too slow, "
        f"{len(members)} on the front."
    )
    parts = [f"<h3>{escape(search.name)}</h3>", paragraph(summary)]
    if members:
        drawn = [
            chart(
                fronts(search),
                "Dots: evaluated architectures; lines: fronts after the generations named at their "
                "right ends, the last one solid.",
            ),
            chart(
                hypervolumes(search),
                "Hypervolume: the fraction of the rectangle below the largest step time and above "
                f"{columns[0].name} 0 that the front dominates.",
            ),
        ]
        parts += [charts(drawn), _table(members, columns)]
    return "".join(parts)


def fronts(search: SearchResults) -> str:
    """Draw all evaluations and the front after some of the generations (SVG)."""
    stages = _stages(search)
    good = [e for e in search.evaluations.values() if e.accuracy is not None]
    scale = Scale.of(e.costs.step_time_ms for e in good)
    column = signal_columns(search.config.evaluate.signal)[0]
    axes = Axes.around(WIDTH, HEIGHT, [column.value(e) or 0.0 for e in good])
    before, after = axes.draw(
        title=f"Fronts of the search {search.name}",
        described="; ".join(f"generation {g}: {len(f)} on the front" for g, f in stages),
        x_title="training step in ms" + (" (logarithmic)" if scale.is_log else ""),
        y_title=f"{column.name} on the proxy",
        ticks=scale.ticks,
    )

    def at(e: Evaluation) -> tuple[float, float]:
        return axes.x(scale.share(e.costs.step_time_ms)), axes.y(column.value(e) or 0.0)

    on_front = {e.encoding for e in stages[-1][1]} if stages else set()
    rest = [e for e in good if e.encoding not in on_front]
    marks = [_dot(e, column, at(e), "pale", 3) for e in thinned(rest, MAX_DOTS)]
    for i, (generation, found) in enumerate(stages):
        members = thinned(found, MAX_DOTS)
        is_last = i == len(stages) - 1
        # A front goes on to the right: no slower architecture is better.
        places = [*map(at, members), (axes.x(1.0), at(members[-1])[1])]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        kind = "curve" if is_last else "curve second"
        look = "" if is_last else f' stroke-dasharray="{2 + 3 * i} 3"'
        marks.append(f'<polyline class="{kind}"{look} points="{points}"/>')
        marks += [_dot(e, column, at(e), "dot", 4) for e in members] if is_last else []
        # Fronts that end at the same height would be labelled on top of each other.
        if is_last or abs(places[-1][1] - at(stages[i + 1][1][-1])[1]) > 13:
            marks.append(
                f'<text class="mark" x="{axes.x(1.0):.1f}" y="{places[-1][1] - 5:.1f}" '
                f'text-anchor="end">{"generation " if is_last else ""}{generation}</text>'
            )
    return before + "".join(marks) + after


def hypervolumes(search: SearchResults) -> str:
    """Draw the hypervolume of the front over the generations (SVG)."""
    progress = search.progress
    last = max(len(progress), 1)
    axes = Axes.around(WIDTH, HEIGHT, [row.hypervolume for row in progress])
    before, after = axes.draw(
        title=f"Hypervolume of the front of {search.name}",
        described=f"after {last} generations {progress[-1].hypervolume:.4f}" if progress else "",
        x_title="generation",
        y_title="hypervolume",
        ticks=count_ticks(last),
    )
    rows = thinned(progress, MAX_DOTS)
    places = [(axes.x(row.generation / last), axes.y(row.hypervolume)) for row in rows]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>generation {row.generation}: '
        f"{row.hypervolume:.4f}, {row.front_size} on the front of {row.evaluated}</title></circle>"
        for row, (x, y) in zip(rows, places, strict=True)
    )
    return f'{before}<polyline class="curve" points="{line}"/>{dots}{after}'


def _stages(search: SearchResults) -> list[tuple[int, list[Evaluation]]]:
    """Return some generations, evenly spaced and ending with the last, each with its front."""
    count = len(search.generations)
    chosen = sorted({round(1 + i * (count - 1) / (MAX_FRONTS - 1)) for i in range(MAX_FRONTS)})
    stages = []
    for generation in chosen:
        asked = [text for texts in search.generations[:generation] for text in texts]
        members = front([search.evaluations[t] for t in asked if t in search.evaluations])
        if members:
            stages.append((generation, members))
    return stages


def _dot(
    evaluation: Evaluation, column: Column, at: tuple[float, float], kind: str, radius: int
) -> str:
    told = (
        f"{evaluation.encoding}: {column.name} {column.text(evaluation)}, "
        f"{evaluation.costs.step_time_ms:.1f} ms"
    )
    return (
        f'<circle class="{kind}" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius}">'
        f"<title>{escape(told)}</title></circle>"
    )


def _table(members: Sequence[Evaluation], columns: Sequence[Column]) -> str:
    rows = [
        (
            e.encoding,
            *(column.text(e) for column in columns),
            f"{e.costs.step_time_ms:.1f}",
            f"{e.costs.inference_ms:.1f}",
            f"{e.costs.macs / 1e6:.1f}",
            f"{e.costs.params / 1e6:.2f}",
        )
        for e in members[-MAX_ROWS:]
    ]
    shown = f", the {MAX_ROWS} slowest of {len(members)}" if len(members) > MAX_ROWS else ""
    text = f"The front{shown}; times are those of a batch of {members[0].costs.batch_size} images "
    text += f"at {members[0].costs.resolution} px on {members[0].costs.hardware}."
    numbers = [*(column.name for column in columns), *COSTS]
    return paragraph(text, soft=True) + html_table(("architecture", *numbers), rows, numbers)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
