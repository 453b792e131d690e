"""Plots of how times grow with the size of the input, from the files of results.

`python -m benchmarks.results_page` writes them beside the page of results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from benchmarks.results_files import is_measured, result
from benchmarks.search_report import standalone
from nasoa.report.axes import Axes, Scale
from nasoa.report.version_charts import LINES as FOUR_LINES

DOTTED = 'stroke-dasharray="2 4"'
LINES = (*FOUR_LINES, DOTTED, f'style="stroke: var(--second)" {DOTTED}')

WIDTH, HEIGHT = 480, 320
KEY_HEIGHT, KEY_WIDTH = 17, 190

BETWEEN = 20  # parts of a line between two measurements, to see what it covers

Result = Mapping[str, Any]
Place = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A value over the size of the input: sizes ascending, and a positive value at each."""

    name: str
    points: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, name: str, points: Iterable[tuple[float, float]]) -> Curve:
        """Return a curve of points in any order."""
        return cls(name, sorted(points))


@dataclass(frozen=True)
class Growth:
    """A plot: the file of results, and the curves in it.

    Args:
        source: name of the file.
        title: what is measured.
        across: what the size of the input counts.
        up: unit of the values.
        curves: function from the content of the file to at most six curves.
        is_share: values are in [0, 1], and only the part of the axis that they span is drawn.
        least_sizes: fewest sizes with values that are worth drawing.
    """

    source: str
    title: str
    across: str
    up: str
    curves: Callable[[Result], list[Curve]]
    is_share: bool = False
    least_sizes: int = 2

    def is_measured(self) -> bool:
        """Return whether there is a file, with values at enough sizes."""
        return is_measured(self.source) and self.has(result(self.source))

    def has(self, found: Result) -> bool:
        """Return whether the content of a file has values at enough sizes."""
        sizes = {size for curve in self.curves(found) for size, _ in curve.points}
        return len(sizes) >= self.least_sizes

    def draw(self, found: Result) -> str:
        """Return the text of an SVG file.

        An axis is logarithmic if its values span a factor of eight or more.
        """
        curves = self.curves(found)
        across = Scale.of(size for curve in curves for size, _ in curve.points)
        axes, y_of = self._vertical([value for curve in curves for _, value in curve.points])
        before, after = axes.draw(
            title=self.title,
            described="; ".join(map(_described, curves)),
            x_title=self.across,
            y_title=self.up,
            ticks=across.ticks,
        )
        drawn = [
            [(axes.x(across.share(size)), y_of(value)) for size, value in curve.points]
            for curve in curves
        ]
        key_x, key_y = _free_corner(axes, drawn)
        marks: list[str] = []
        for row, (curve, places, line) in enumerate(zip(curves, drawn, LINES, strict=False)):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            marks.append(f'<polyline class="curve" {line} points="{points}"/>')
            dot = f"dot {'other' if 'second' in line else ''}".strip()
            marks += [f'<circle class="{dot}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
            marks.append(_key(key_x, key_y + KEY_HEIGHT * row, line, _named(curve)))
        return standalone(before + "".join(marks) + after)

    def _vertical(self, values: Sequence[float]) -> tuple[Axes, Callable[[float], float]]:
        """Return axes for values, and the function from a value to its place."""
        if self.is_share:
            around = Axes.around(WIDTH, HEIGHT, values)
            return around, around.y
        scale = Scale.of(values)
        axes = Axes.of_scale(WIDTH, HEIGHT, scale)
        return axes, lambda value: axes.y(scale.share(value))


def _free_corner(axes: Axes, curves: Sequence[Sequence[Place]]) -> Place:
    """Return the place of the key's first line, in the corner that curves come least close to."""
    height = KEY_HEIGHT * len(curves)
    on_curves = [places[0] for places in curves if len(places) == 1]
    on_curves += [
        (x + (next_x - x) * i / BETWEEN, y + (next_y - y) * i / BETWEEN)
        for places in curves
        for (x, y), (next_x, next_y) in pairwise(places)
        for i in range(BETWEEN + 1)
    ]

    def covered(corner: Place) -> int:
        left, top = corner
        return sum(
            left - 10 <= x <= left + KEY_WIDTH and top - KEY_HEIGHT <= y <= top + height
            for x, y in on_curves
        )

    xs = (axes.x(0.0) + 10, axes.x(1.0) - KEY_WIDTH)
    ys = (axes.y(1.0) + KEY_HEIGHT, axes.y(0.0) - height)
    return min([(x, y) for y in ys for x in xs], key=covered)


def _key(x: float, y: float, line: str, name: str) -> str:
    """Return a sample of a curve's line and its name."""
    return (
        f'<polyline class="curve" {line} points="{x:.1f},{y - 4:.1f} {x + 28:.1f},{y - 4:.1f}"/>'
        f'<text class="mark" x="{x + 36:.1f}" y="{y:.1f}">{escape(name)}</text>'
    )


def _named(curve: Curve) -> str:
    """Return the name in the key, with the value of a single point, which has no line to it."""
    if len(curve.points) > 1:
        return curve.name
    ((_, value),) = curve.points
    return f"{curve.name}: {value:.3g}"


def _described(curve: Curve) -> str:
    (first, lowest), (last, highest) = curve.points[0], curve.points[-1]
    return f"{curve.name}: {lowest:g} at {first:,}, {highest:g} at {last:,}"


def survival(found: Result) -> list[Curve]:
    """Return milliseconds of survival over the number of points, ours and pymoo's."""
    sides = (("nasoa", "survive_ms"), ("pymoo", "survive_pymoo_ms"))
    return [
        Curve.of(
            f"{side}, {count} objectives",
            [
                (row["points"], row[key]["median"])
                for row in found["sizes"]
                if row["objectives"] == count
            ],
        )
        for count in sorted({row["objectives"] for row in found["sizes"]})
        for side, key in sides
    ]


def ranking(found: Result) -> list[Curve]:
    """Return milliseconds of making and ranking candidates over their number."""
    names = {"after_0_runs": "by the formula", "after_1000_runs": "after 1,000 runs"}
    made = [(size["candidates"], size["generating"]["median"]) for size in found["sizes"]]
    return [
        Curve.of("made", made),
        *(
            Curve.of(
                f"ranked {name}",
                [(size["candidates"], size["ranking"][key]["median"]) for size in found["sizes"]],
            )
            for key, name in names.items()
        ),
    ]


def learning(found: Result) -> list[Curve]:
    """Return milliseconds to predict and learn a row over the rows learned before."""
    rows = found["default_predictor"]["predict_and_learn_a_row_after"]
    names = {"amortised": "with fits, on average", "a_row_without_fits": "without fits"}
    return [
        Curve.of(name, [(int(count), row[key]) for count, row in rows.items()])
        for key, name in names.items()
    ]


def pipeline(found: Result) -> list[Curve]:
    """Return seconds outside the time limit over the number of images."""
    return [
        Curve.of(way, [(own["images"], own[way]["outside_s"]) for own in found["data_sets"]])
        for way in ("command", "pipeline")
    ]


# Each is docs/growth-NAME.svg.
PLOTS = {
    "survival": Growth("sorting.json", "Survival of half of the points", "points", "ms", survival),
    "ranking": Growth(
        "ranking_speed.json", "Making and ranking candidates", "candidates", "ms", ranking
    ),
    "learning": Growth(
        "predictor_speed.json",
        "Predicting and learning a run by the default predictor",
        "runs learned",
        "ms a run",
        learning,
    ),
    "pipeline": Growth(
        "pipeline_overhead.json",
        "Wall time outside the time limit of a task",
        "images",
        "seconds",
        pipeline,
    ),
}
