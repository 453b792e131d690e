"""Charts as inline SVG and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nasoa.records import CurvePoint, Experience

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 14, 40
MAX_CLASSES = 20


def learning_curve(curve: Sequence[CurvePoint], limit_s: float) -> str:
    """Validation accuracy over the seconds of the limit, the limit as a dashed line."""
    longest_s = max([limit_s, *(point.elapsed_s for point in curve)]) or 1.0
    points = [(_x(point.elapsed_s / longest_s), _y(point.val_accuracy)) for point in curve]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    limit = _x(limit_s / longest_s)
    body = (
        f'<line class="limit" x1="{limit:.1f}" x2="{limit:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<polyline class="curve" points="{line}"/>{dots}'
    )
    ticks = [(share, f"{share * longest_s:.3g}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    last = f"{curve[-1].val_accuracy:.3f}" if curve else "nothing"
    return _chart("Learning curve", f"ends at {last}", body, ticks, "seconds of the task")


def predicted_against_reached(experiences: Sequence[Experience]) -> str:
    """A dot a task; on the diagonal the prediction was right."""
    dots = "".join(
        f'<circle class="dot" cx="{_x(e.predicted_accuracy):.1f}" cy="{_y(e.accuracy):.1f}" r="4">'
        f"<title>{escape(e.task.dataset)}: predicted {e.predicted_accuracy:.3f}, "
        f"reached {e.accuracy:.3f}</title></circle>"
        for e in experiences
    )
    body = f'<line class="axis" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>{dots}'
    ticks = [(share, f"{share:g}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    described = f"{len(experiences)} tasks"
    return _chart("Predicted against reached accuracy", described, body, ticks, "predicted")


def confusion_matrix(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Rows are the true classes; of more than 20 those with the most mistakes are shown."""
    mistakes = [
        sum(row) - row[i] + sum(other[i] for other in confusion) - row[i]
        for i, row in enumerate(confusion)
    ]
    shown = list(range(len(class_names)))
    note = ""
    if len(shown) > MAX_CLASSES:
        worst = sorted(shown, key=lambda i: -mistakes[i])[:MAX_CLASSES]
        note = (
            f'<p class="soft">The {MAX_CLASSES} of {len(shown)} classes with the most mistakes.</p>'
        )
        shown = sorted(worst)
    head = "".join(f"<th>{escape(class_names[j])}</th>" for j in shown)
    rows = "".join(
        f"<tr><th>{escape(class_names[i])}</th>"
        + "".join(_cell(confusion[i][j], sum(confusion[i]), i == j) for j in shown)
        + "</tr>"
        for i in shown
    )
    return (
        f'{note}<div class="wide"><table><tr><th>true \\ said</th>{head}</tr>{rows}</table></div>'
    )


def _cell(count: int, total: int, is_right: bool) -> str:
    share = count / total if total else 0.0
    colour = "36, 89, 196" if is_right else "196, 80, 36"
    style = f'style="background: rgba({colour}, {0.6 * share:.2f})"'
    return f'<td class="cell" {style}>{count or ""}</td>'


def _x(share: float) -> float:
    return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)


def _y(accuracy: float) -> float:
    return HEIGHT - BOTTOM - min(max(accuracy, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)


def _chart(
    title: str, described: str, body: str, x_ticks: Sequence[tuple[float, str]], x_title: str
) -> str:
    """Axes around a body; the vertical one is accuracy from 0 to 1."""
    lines = []
    for accuracy in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(accuracy)
        lines.append(
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{accuracy:g}</text>'
        )
    for share, label in x_ticks:
        lines.append(
            f'<text x="{_x(share):.1f}" y="{HEIGHT - BOTTOM + 16}" '
            f'text-anchor="middle">{escape(label)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(
        f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(described)}</desc>"
        f"{''.join(lines)}{body}</svg>"
    )
