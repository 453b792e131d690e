"""Names beside the marks of a chart, without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nasoa.report.axes import LEFT, RIGHT, Axes

MAX_NAME = 28
# Of the 12 px font in a chart's units; an average letter of a wide font.
LETTER, HEIGHT = 6.8, 14.0
GAP = 8.0
DOT = 5.0


@dataclass(frozen=True)
class Named:
    """A mark at (x, y) and its name."""

    x: float
    y: float
    name: str


@dataclass(frozen=True)
class _Box:
    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def labels(marks: Sequence[Named], axes: Axes, others: Sequence[Named] = ()) -> str:
    """Return the names as SVG text; a name without free room beside its mark is left out.

    Args:
        marks: marks to label, the most important first.
        axes: drawing area that labels stay in.
        others: marks that are not labelled, but not covered either.
    """
    taken = [_Box(m.x - DOT, m.x + DOT, m.y - DOT, m.y + DOT) for m in (*marks, *others)]
    texts = []
    for mark in marks:
        name = short(mark.name)
        for anchor, x, y in (
            ("start", mark.x + GAP, mark.y + 4),
            ("end", mark.x - GAP, mark.y + 4),
            ("middle", mark.x, mark.y - GAP),
            ("middle", mark.x, mark.y + GAP + 9),
        ):
            box = _box(anchor, x, y, LETTER * len(name))
            is_inside = box.left >= LEFT and box.right <= axes.width - RIGHT / 2
            is_inside &= box.top >= axes.y(axes.top) - HEIGHT and box.bottom <= axes.y(axes.bottom)
            if is_inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                texts.append(
                    f'<text class="mark" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
                    f"{escape(name)}</text>"
                )
                break
    return "".join(texts)


def short(name: str) -> str:
    """Return a name that fits beside a mark, cut off if it is too long."""
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _box(anchor: str, x: float, y: float, width: float) -> _Box:
    left = {"start": x, "end": x - width, "middle": x - width / 2}[anchor]
    return _Box(left, left + width, y - 11.0, y + 3.0)
