"""Charts of a store's fine-tunes in the order in which they ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

from nasoa.report.axes import Axes, count_ticks

T = TypeVar("T")

WIDTH, HEIGHT = 400, 280
RECENT = 50
MAX_POINTS = 400


def recent_means(values: Sequence[float]) -> list[float]:
    """Return, for each value, the mean of the latest 50 up to it."""
    sums = [0.0, *accumulate(values)]
    starts = [max(0, i - RECENT) for i in range(1, len(sums))]
    return [(sums[i] - sums[s]) / (i - s) for i, s in enumerate(starts, start=1)]


def means_so_far(values: Sequence[float]) -> list[float]:
    """Return, for each value, the mean of all up to it."""
    return [total / i for i, total in enumerate(accumulate(values), start=1)]


def coverage_chart(inside: Sequence[bool], expected: float) -> str:
    """Draw the fraction of outcomes inside their interval (SVG): recent, and so far.

    Args:
        inside: whether each outcome was inside, oldest first; at least one.
        expected: the fraction that the intervals promise, as a dashed line.
    """
    values = [float(one) for one in inside]
    axes = Axes(WIDTH, HEIGHT)
    before, after = axes.draw(
        title="Coverage of the intervals over time",
        described=f"{sum(values):.0f} of {len(values)} outcomes inside; {expected:g} expected",
        x_title="fine-tunes",
        y_title="fraction inside the interval",
        ticks=count_ticks(len(values)),
    )
    y = axes.y(expected)
    # At the left, where the mean of a few outcomes is seldom just below the line.
    label = (
        f'<text class="limit-mark" x="{axes.x(0.02):.1f}" y="{y + 15:.1f}">'
        f"expected {expected:g}</text>"
    )
    return (
        before
        + f'<line class="limit" x1="{axes.x(0):.1f}" x2="{axes.x(1):.1f}" y1="{y:.1f}" '
        + f'y2="{y:.1f}"/>'
        + means(axes, values)
        + label
        + after
    )


def regret_chart(regrets: Sequence[float]) -> str:
    """Draw known regrets (SVG): a dot each, and the means recently and so far; at least one."""
    axes = Axes.from_zero(WIDTH, HEIGHT, regrets)
    before, after = axes.draw(
        title="Known regret over time",
        described=f"{len(regrets)} fine-tunes, {sum(regrets) / len(regrets):.3f} on average",
        x_title="fine-tunes with a known regret",
        y_title="regret (accuracy)",
        ticks=count_ticks(len(regrets)),
    )
    return before + dots(axes, regrets, 3) + means(axes, regrets) + after


def dots(
    axes: Axes, values: Sequence[float], radius: int, title: Callable[[int], str] | None = None
) -> str:
    """Draw a dot for each value, or for as many as are seen apart, the latest included.

    Args:
        axes: axes of the chart, whose width the values share.
        values: the values, oldest first.
        radius: radius of a dot.
        title: returns what a dot tells, as XML, from the position of its value.
    """
    last = len(values)
    every = max(1, -(-last // MAX_POINTS))
    parts = []
    for i in reversed(range(last - 1, -1, -every)):
        x, y = axes.x((i + 1) / last), axes.y(values[i])
        end = f"><title>{title(i)}</title></circle>" if title else "/>"
        parts.append(f'<circle class="pale" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"{end}')
    return "".join(parts)


def means(axes: Axes, values: Sequence[float]) -> str:
    """Draw the mean of the latest 50 values in blue; in orange that of all, once it differs."""
    so_far = line(axes, means_so_far(values), "curve second") if len(values) > RECENT else ""
    return so_far + line(axes, recent_means(values), "curve")


def told_means(count: int) -> str:
    """Return what the lines of `means` show, in words."""
    if count > RECENT:
        return f"Blue line: mean of the latest {RECENT}; orange line: mean so far."
    return "Line: mean so far."


def line(axes: Axes, values: Sequence[float], kind: str) -> str:
    """Draw values at equal distances up to the right end, the first one beside the left end."""
    last = len(values)
    every = max(1, -(-last // MAX_POINTS))
    numbers = sorted({1, *range(last, 0, -every)}) if last else []
    places = [(axes.x(n / last), axes.y(values[n - 1])) for n in numbers]
    if len(places) == 1:
        # A line of one point would be invisible.
        places.insert(0, (axes.x(0.0), places[0][1]))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="{kind}" points="{points}"/>'


def thinned(items: Sequence[T], most: int) -> list[T]:
    """Return at most about `most` of the items, evenly spaced and including the last."""
    step = max(1, -(-len(items) // most))
    return list(items[::-1][::step])[::-1]
