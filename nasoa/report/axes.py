"""The axes of a chart: where a value is drawn, and the ticks around it.

The vertical axis of accuracy always runs from 0 to 1, so that charts can be compared by eye;
errors, which are small, may have a lower upper end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT, RIGHT, TOP, BOTTOM = 52, 18, 26, 44
LARGE = 600
STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A position on the horizontal axis, as a fraction of its length, and its label."""

    share: float
    label: str


@dataclass(frozen=True)
class Axes:
    """A drawing area of `width` by `height`, in units of the view box.

    The vertical axis runs from 0 to `top`.
    """

    width: int
    height: int
    top: float = 1.0

    def x(self, share: float) -> float:
        """Return the x of a fraction of the horizontal axis, clipped to [0, 1]."""
        return LEFT + _clipped(share) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the y of a value, clipped to [0, top]."""
        share = _clipped(value / self.top)
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
        lines = [
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{self.y(value):.1f}" '
            f'y2="{self.y(value):.1f}"/>'
            f'<text x="{LEFT - 8}" y="{self.y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
            for value in (share * self.top for share in (0.0, 0.25, 0.5, 0.75, 1.0))
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


def _clipped(share: float) -> float:
    return min(max(share, 0.0), 1.0)
