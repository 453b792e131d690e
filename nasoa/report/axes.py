"""The axes of a chart: where a value is drawn, and the ticks around it.

The vertical axis of accuracy runs from 0 to 1 unless a chart is about small differences, so that
charts can be compared by eye; errors, which are small, may have a lower upper end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

LEFT, RIGHT, TOP, BOTTOM = 52, 18, 26, 44
LARGE = 450
STEPS = (1.0, 2.0, 5.0, 10.0)
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Upper ends of an axis that starts at 0, and the distance of their levels.
TOPS = ((0.05, 0.01), (0.1, 0.02), (0.2, 0.05), (0.5, 0.1), (1.0, 0.25))
# Length of the horizontal axis of the narrowest chart.
NARROWEST = 290
# Ratio of the largest to the smallest value from which a logarithmic axis is easier to read.
WIDE_RATIO = 8.0


@dataclass(frozen=True)
class Tick:
    """A position on the horizontal axis, as a fraction of its length, and its label."""

    share: float
    label: str


@dataclass(frozen=True)
class Scale:
    """A horizontal axis from `low` to `high` in a unit, logarithmic or linear, with its ticks."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[Tick, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """Return a scale with room for values that are 0 or more.

        It is logarithmic if all are positive and the largest is at least eight times the smallest;
        otherwise it starts at 0.
        """
        known = list(values)
        largest, smallest = max(known, default=0.0) or 1.0, min(known, default=0.0)
        if smallest > 0.0 and largest / smallest >= WIDE_RATIO:
            low, high = smallest / 1.4, largest * 1.4
            return cls(low, high, True, tuple(_log_ticks(low, high)))
        high = 1.08 * largest
        return cls(0.0, high, False, tuple(round_ticks(high)))

    def share(self, value: float) -> float:
        """Return the position of a value as a fraction of the axis."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Axes:
    """A drawing area of `width` by `height`, in units of the view box.

    The vertical axis runs from `bottom` to `top`, with a line at each of `levels`; by default they
    are at the quarters. A line is labelled with its level, or with its one of `level_labels`.
    """

    width: int
    height: int
    top: float = 1.0
    bottom: float = 0.0
    levels: tuple[float, ...] = ()
    level_labels: tuple[str, ...] = ()

    @classmethod
    def from_zero(cls, width: int, height: int, values: Iterable[float]) -> Axes:
        """Return axes from 0 to a round value above the greatest of values, at most 1."""
        highest = min(max(values, default=1.0), 1.0)
        top, step = next((top, step) for top, step in TOPS if top >= highest)
        levels = tuple(step * i for i in range(round(top / step) + 1))
        return cls(width, height, top, 0.0, levels)

    @classmethod
    def around(cls, width: int, height: int, values: Iterable[float]) -> Axes:
        """Return axes from below the least to above the greatest of values in [0, 1]."""
        known = [_clipped(value) for value in values] or [0.0, 1.0]
        low, high = min(known), max(known)
        step = next(step for step in (0.02, 0.05, 0.1, 0.2, 0.25) if high - low <= 4 * step)
        first, last = math.floor(low / step - 0.2), math.ceil(high / step + 0.2)
        levels = tuple(step * i for i in range(max(first, 0), last + 1) if step * i <= 1 + 1e-9)
        return cls(width, height, levels[-1], levels[0], levels)

    @classmethod
    def of_scale(cls, width: int, height: int, scale: Scale) -> Axes:
        """Return axes whose vertical axis is a scale: `y(scale.share(value))` is its place."""
        levels = tuple(tick.share for tick in scale.ticks)
        return cls(width, height, 1.0, 0.0, levels, tuple(tick.label for tick in scale.ticks))

    def x(self, share: float) -> float:
        """Return the x of a fraction of the horizontal axis, clipped to [0, 1]."""
        return LEFT + _clipped(share) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the y of a value, clipped to [bottom, top]."""
        share = _clipped((value - self.bottom) / (self.top - self.bottom))
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def draw(
        self, *, title: str, described: str, x_title: str, y_title: str, ticks: Sequence[Tick]
    ) -> tuple[str, str]:
        """Return the SVG before and after the marks; screen readers use `title` and `described`."""
        before = (
            f'<svg class="{"large" if self.width > LARGE else ""}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img">'
            f"<title>{escape(title)}</title><desc>{escape(described)}</desc>"
        )
        middle = (LEFT + self.width - RIGHT) / 2
        titles = (
            f'<text x="{LEFT - 40}" y="14">{escape(y_title)}</text>'
            f'<text x="{middle:.1f}" y="{self.height - 8}" text-anchor="middle">'
            f"{escape(x_title)}</text>"
        )
        return before + self._grid(ticks) + titles, "</svg>"

    def _grid(self, ticks: Sequence[Tick]) -> str:
        bottom, right = self.height - BOTTOM, self.width - RIGHT
        levels = self.levels or [
            self.bottom + share * (self.top - self.bottom) for share in QUARTERS
        ]
        names = self.level_labels or [f"{value:g}" for value in levels]
        lines = [
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{self.y(value):.1f}" '
            f'y2="{self.y(value):.1f}"/>'
            f'<text x="{LEFT - 8}" y="{self.y(value) + 4:.1f}" text-anchor="end">{name}</text>'
            for value, name in zip(levels, names, strict=True)
        ]
        lines += [
            f'<line class="grid" x1="{self.x(tick.share):.1f}" x2="{self.x(tick.share):.1f}" '
            f'y1="{bottom}" y2="{bottom + 5}"/>'
            f'<text x="{self.x(tick.share):.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{escape(tick.label)}</text>"
            for tick in ticks
        ]
        return "".join(lines)


def round_ticks(longest: float, most: int = 6) -> list[Tick]:
    """Return at most `most` ticks at round values from 0 to `longest`, which is positive."""
    least = longest / (most - 1)
    power = 10.0 ** math.floor(math.log10(least))
    # Allow for rounding, as 3 * 0.1 is more than 0.3.
    step = next(step * power for step in STEPS if step * power >= least * (1 - 1e-9))
    ticks = [Tick(i * step / longest, f"{i * step:g}") for i in range(most)]
    return [tick for tick in ticks if tick.share <= 1 + 1e-9]


def count_ticks(count: int, most: int = 6) -> list[Tick]:
    """Return at most `most` ticks at whole numbers from 0 to `count`, which is at least 1."""
    return round_ticks(float(count), most=min(most, count + 1))


def _log_ticks(low: float, high: float) -> list[Tick]:
    """Return ticks at powers of ten and, if their labels fit, between them."""
    powers = [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    length = math.log(high / low)
    ticks: list[Tick] = []
    for factors in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        values = [p * factor for p in powers for factor in factors if low <= p * factor <= high]
        ticks = [Tick(math.log(value / low) / length, f"{value:.12g}") for value in values]
        if _labels_fit(ticks):
            return ticks
    return ticks[::2]


def _labels_fit(ticks: Sequence[Tick]) -> bool:
    """Return whether no label reaches the next one in the narrowest chart."""
    return all(
        (right.share - left.share) * NARROWEST > 4 * (len(left.label) + len(right.label)) + 6
        for left, right in pairwise(ticks)
    )


def _clipped(share: float) -> float:
    return min(max(share, 0.0), 1.0)
