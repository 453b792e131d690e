"""What the work of a store cost in time: fine-tunes, their steps, and searches."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape
from statistics import fmean

from nasoa.records import Experience, Outcome
from nasoa.report.axes import LEFT, RIGHT, Axes, count_ticks
from nasoa.report.contents import SearchResults, StoreContents
from nasoa.report.over_time import HEIGHT, MAX_POINTS, WIDTH
from nasoa.report.page import chart, charts, html_table, paragraph
from nasoa.report.words import duration

MAX_MODELS = 50
MAX_STEPS = 10
USES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
BAR = 26
REST = "start of the process, and between steps"
MODEL_HEADER = ("model", "fine-tunes", "time", "mean time", "mean accuracy", "of the limit")
SEARCH_HEADER = ("search", "evaluated", "failed", "time of evaluations", "mean time")


def cost_section(contents: StoreContents) -> str:
    """Return the section about seconds: of limits, of steps, by model and by search."""
    drawn, parts = [], []
    if contents.experiences:
        late = sum(e.elapsed_s > e.task.time_limit_s for e in contents.experiences)
        drawn.append(
            chart(
                limit_chart(contents.experiences),
                f"Time used as a fraction of the limit, a dot for each fine-tune; {late} of "
                f"{len(contents.experiences)} took longer than the limit.",
            )
        )
        parts += ["<h3>By model</h3>", _by_model(contents.experiences)]
    steps = _step_means(contents.outcomes)
    if steps:
        text = (
            f"Mean seconds of a step over the latest {len(contents.outcomes)} tasks with a record "
            "of their steps."
        )
        drawn.append(chart(step_chart(steps), text))
    if contents.searches:
        parts += ["<h3>By search</h3>", _by_search(contents.searches)]
    failed = Counter(outcome.reason for outcome in contents.outcomes if outcome.reason)
    if failed:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in failed.most_common(10))
        parts.append(paragraph(f"Tasks that failed after their training started: {reasons}."))
    return "".join([charts(drawn) if drawn else "", *parts])


def limit_chart(experiences: Sequence[Experience]) -> str:
    """Draw the fraction of its limit that each fine-tune used (SVG); at least one."""
    used = [e.elapsed_s / e.task.time_limit_s for e in experiences]
    axes = Axes(WIDTH, HEIGHT, USES[-1], levels=USES)
    last = len(used)
    before, after = axes.draw(
        title="Time used as a fraction of the limit",
        described=f"{fmean(used):.2f} on average, {max(used):.2f} at most",
        x_title="fine-tunes",
        y_title="fraction of the time limit",
        ticks=count_ticks(last),
    )
    every = max(1, -(-last // MAX_POINTS))
    # Late ones are always drawn.
    shown = [i for i in range(last) if (last - 1 - i) % every == 0 or used[i] > 1.0]
    dots = "".join(
        f'<circle class="{"other" if used[i] > 1.0 else "dot"}" '
        f'cx="{axes.x((i + 1) / last):.1f}" cy="{axes.y(used[i]):.1f}" r="4"><title>'
        f"{escape(experiences[i].task.dataset)}: {experiences[i].elapsed_s:.1f} of "
        f"{experiences[i].task.time_limit_s:g} s</title></circle>"
        for i in shown[-2 * MAX_POINTS :]
    )
    y = axes.y(1.0)
    limit = (
        f'<line class="limit" x1="{axes.x(0):.1f}" x2="{axes.x(1):.1f}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/><text class="limit-mark" x="{axes.x(0.02):.1f}" y="{y - 6:.1f}">limit'
        "</text>"
    )
    return before + limit + dots + after


def step_chart(means_s: Sequence[tuple[str, float]]) -> str:
    """Draw a bar for each step (SVG); `means_s` are (name, mean seconds), at least one."""
    longest = max(seconds for _name, seconds in means_s) or 1.0
    height = 2 * BAR * len(means_s) + 10
    told = "; ".join(f"{name} {seconds:.2f} s" for name, seconds in means_s)
    bars = []
    for i, (name, seconds) in enumerate(means_s):
        y = 2 * BAR * i + 16
        length = max((WIDTH - LEFT - RIGHT) * seconds / longest, 1.0)
        bars.append(
            f'<text class="mark" x="0" y="{y}">{escape(name)}</text>'
            f'<rect class="dot" x="0" y="{y + 6}" width="{length:.1f}" height="16" rx="2"/>'
            f'<text x="{length + 6:.1f}" y="{y + 18}">{seconds:.2f} s</text>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img"><title>Mean seconds of each step</title>'
        f"<desc>{escape(told)}</desc>{''.join(bars)}</svg>"
    )


def _step_means(outcomes: Sequence[Outcome]) -> list[tuple[str, float]]:
    """Return the mean seconds of each step, the longest first; the rest has a bar too."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for step, took_s in outcome.durations_s.items():
            seconds[step.replace("_", " ")].append(took_s)
        rest_s = outcome.elapsed_s - sum(outcome.durations_s.values())
        if outcome.durations_s and rest_s > 0.0:  # with a step clock, both are not comparable
            seconds[REST].append(rest_s)
    means = [(step, fmean(some)) for step, some in seconds.items()]
    return sorted(means, key=lambda mean: -mean[1])[:MAX_STEPS]


def _by_model(experiences: Sequence[Experience]) -> str:
    by_model: dict[str, list[Experience]] = defaultdict(list)
    for e in experiences:
        by_model[e.model.name].append(e)
    ordered = sorted(by_model.items(), key=lambda item: -sum(e.elapsed_s for e in item[1]))
    rows = [
        (
            name,
            len(some),
            duration(sum(e.elapsed_s for e in some)),
            duration(fmean(e.elapsed_s for e in some)),
            f"{fmean(e.accuracy for e in some):.3f}",
            f"{100 * fmean(e.elapsed_s / e.task.time_limit_s for e in some):.0f} %",
        )
        for name, some in ordered[:MAX_MODELS]
    ]
    return html_table(MODEL_HEADER, rows, MODEL_HEADER[1:])


def _by_search(searches: Sequence[SearchResults]) -> str:
    rows = []
    for search in searches[-MAX_MODELS:]:
        evaluations = search.evaluations.values()
        total_s = sum(e.elapsed_s for e in evaluations)
        rows.append(
            (
                search.name,
                len(evaluations),
                sum(bool(e.failure) for e in evaluations),
                duration(total_s),
                duration(total_s / len(evaluations)) if evaluations else "",
            )
        )
    return html_table(SEARCH_HEADER, rows, SEARCH_HEADER[1:])
