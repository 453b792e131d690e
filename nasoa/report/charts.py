"""Charts of accuracy as inline SVG, and the confusion matrix as an HTML table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from nasoa.records import CurvePoint, Experience
from nasoa.report.axes import QUARTERS, Axes, Tick, round_ticks
from nasoa.report.labels import Named, labels
from nasoa.report.page import SCROLLED

CURVE_AXES = Axes(360, 230)
SCATTER_AXES = Axes(400, 400)
MAX_CLASSES = 20
MAX_INTERVALS = 40
RIGHT_RGB, WRONG_RGB = "36, 89, 196", "206, 92, 24"
# Even the deepest colour leaves its text readable, in light and in dark mode.
DEEPEST = 0.55


def learning_curve(curve: Sequence[CurvePoint], limit_s: float) -> str:
    """Draw the validation accuracy over the time of a task (SVG).

    Args:
        curve: validations of a fine-tune; those without a finite value are not drawn.
        limit_s: the time limit, drawn as a dashed vertical line.
    """
    points = [p for p in curve if math.isfinite(p.elapsed_s) and math.isfinite(p.val_accuracy)]
    longest_s = max([limit_s, *(point.elapsed_s for point in points)]) or 1.0
    unit, unit_s = _time_unit(longest_s)
    best = max(points, key=lambda point: point.val_accuracy, default=None)
    told = (
        f"best {best.val_accuracy:.3f} after {best.elapsed_s / unit_s:.3g} {unit}"
        if best
        else "no validation"
    )
    before, after = CURVE_AXES.draw(
        title="Learning curve: validation accuracy over time",
        described=f"{told}; the limit is {limit_s / unit_s:.3g} {unit}",
        x_title=f"{unit} since the start of the task",
        y_title="validation accuracy",
        ticks=round_ticks(longest_s / unit_s),
    )
    places = [(CURVE_AXES.x(p.elapsed_s / longest_s), CURVE_AXES.y(p.val_accuracy)) for p in points]
    marks = [
        _limit_line(limit_s / longest_s, f"limit {limit_s / unit_s:.3g} {unit}"),
        f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>',
        *(
            f'<circle class="{"best" if point is best else "dot"}" cx="{x:.1f}" cy="{y:.1f}" '
            f'r="{5 if point is best else 3}"><title>{point.val_accuracy:.3f} after '
            f"{point.elapsed_s / unit_s:.3g} {unit}, iteration {point.iteration}</title></circle>"
            for point, (x, y) in zip(points, places, strict=True)
        ),
        f'<text class="mark" x="{CURVE_AXES.x(1):.1f}" y="14" text-anchor="end">{told}</text>',
    ]
    return before + "".join(marks) + after


def predicted_against_reached(
    experiences: Sequence[Experience], intervals: Mapping[str, tuple[float, float]] | None = None
) -> str:
    """Draw a mark per task (SVG); predictions on the diagonal were correct.

    Args:
        experiences: finished fine-tunes.
        intervals: intervals of the predicted accuracy by task; an outcome outside its interval is a
            diamond, and up to 40 tasks have their interval drawn.
    """
    misses = [abs(e.predicted_accuracy - e.accuracy) for e in experiences]
    told = (
        f"{_count(len(experiences), 'task')}; predictions were off by "
        f"{sum(misses) / len(misses):.3f} on average, {max(misses):.3f} at most"
        if experiences
        else "no fine-tunes yet"
    )
    axes = SCATTER_AXES
    before, after = axes.draw(
        title="Predicted against measured accuracy",
        described=told,
        x_title="predicted accuracy",
        y_title="measured accuracy",
        ticks=[Tick(share, f"{share:g}") for share in QUARTERS],
    )
    known = intervals or {}
    worst = max(experiences, key=lambda e: abs(e.predicted_accuracy - e.accuracy), default=None)
    marks = [
        f'<line class="diagonal" x1="{axes.x(0):.1f}" y1="{axes.y(0):.1f}" '
        f'x2="{axes.x(1):.1f}" y2="{axes.y(1):.1f}"/>',
        f'<text x="{axes.x(0.03):.1f}" y="{axes.y(0.94):.1f}">better than predicted</text>',
        f'<text x="{axes.x(0.97):.1f}" y="{axes.y(0.03):.1f}" text-anchor="end">'
        "worse than predicted</text>",
        *(_interval(e, known) for e in experiences if len(experiences) <= MAX_INTERVALS),
        *(_outcome(e, known.get(e.task.task_id)) for e in experiences),
        labels([_named(worst)], axes) if worst else "",
    ]
    return before + "".join(marks) + after


def confusion_matrix(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Return counts of test images as a table (HTML): rows are true, columns predicted classes.

    If there are more than 20 classes, those with the most mistakes are shown; predictions of the
    others are summed in a separate column.

    Args:
        confusion: (n, n) counts; empty if nothing was classified.
        class_names: n names.
    """
    if not confusion:
        return '<p class="soft">No test images were classified.</p>'
    shown = _most_mistaken(confusion)
    is_part = len(shown) < len(confusion)
    caption = (
        "Number of test images: a row for each true class, a column for each predicted class. The "
        "deeper the colour, the larger the fraction of its row; blue is correct, orange is wrong."
    )
    if is_part:
        caption += f" Shown are the {len(shown)} of {len(confusion)} classes with the most mistakes"
        caption += ", in the order of all classes."
    head = "".join(_class_head(class_names[j]) for j in shown)
    head += '<th scope="col"><span>other classes</span></th>' if is_part else ""
    rows = "\n".join(_confusion_row(confusion[i], i, shown, class_names[i]) for i in shown)
    return (
        f'{SCROLLED}<table class="confusion"><caption>{caption}</caption>'
        f'<thead><tr><th scope="col">true class</th>{head}<th scope="col"><span>correct</span></th>'
        f"</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


def _limit_line(share: float, label: str) -> str:
    """Draw the line of the limit; its label is low, where learning curves seldom are."""
    x, left = CURVE_AXES.x(share), share > 0.5
    return (
        f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{CURVE_AXES.y(1):.1f}" '
        f'y2="{CURVE_AXES.y(0):.1f}"/><text class="limit-mark" x="{x + (-6 if left else 6):.1f}" '
        f'y="{CURVE_AXES.y(0) - 7:.1f}" text-anchor="{"end" if left else "start"}">{label}</text>'
    )


def _outcome(experience: Experience, interval: tuple[float, float] | None) -> str:
    """Draw a dot, or a diamond if the outcome was outside its interval."""
    at = _named(experience)
    told = (
        f"{at.name}: predicted {experience.predicted_accuracy:.3f}, measured "
        f"{experience.accuracy:.3f}"
    )
    if interval is not None:
        told += f", 90 % interval {interval[0]:.2f} to {interval[1]:.2f}"
    title = f"<title>{escape(told)}</title>"
    if interval is None or interval[0] <= experience.accuracy <= interval[1]:
        return f'<circle class="dot" cx="{at.x:.1f}" cy="{at.y:.1f}" r="5">{title}</circle>'
    return f'<path class="other" d="M{at.x:.1f} {at.y - 6:.1f} l6 6 l-6 6 l-6 -6 z">{title}</path>'


def _interval(experience: Experience, known: Mapping[str, tuple[float, float]]) -> str:
    if experience.task.task_id not in known:
        return ""
    low, high = known[experience.task.task_id]
    y = SCATTER_AXES.y(experience.accuracy)
    return (
        f'<line class="span" x1="{SCATTER_AXES.x(low):.1f}" x2="{SCATTER_AXES.x(high):.1f}" '
        f'y1="{y:.1f}" y2="{y:.1f}"/>'
    )


def _named(experience: Experience) -> Named:
    x = SCATTER_AXES.x(experience.predicted_accuracy)
    return Named(x, SCATTER_AXES.y(experience.accuracy), experience.task.dataset)


def _most_mistaken(confusion: Sequence[Sequence[int]]) -> list[int]:
    """Return the classes to show, ascending: those with the most false positives and negatives."""
    said = [sum(column) for column in zip(*confusion, strict=True)]
    mistakes = [sum(row) + said[i] - 2 * row[i] for i, row in enumerate(confusion)]
    return sorted(sorted(range(len(confusion)), key=lambda i: -mistakes[i])[:MAX_CLASSES])


def _confusion_row(row: Sequence[int], true: int, shown: Sequence[int], name: str) -> str:
    total = sum(row)
    cells = "".join(_cell(row[j], total, is_right=j == true) for j in shown)
    if len(shown) < len(row):
        cells += _cell(total - sum(row[j] for j in shown), total, is_right=False)
    recall = f"{100 * row[true] / total:.0f} % of {total}" if total else "no images"
    return (
        f'<tr><th scope="row" title="{escape(name)}">{escape(name)}</th>{cells}'
        f'<td class="sum">{recall}</td></tr>'
    )


def _cell(count: int, total: int, *, is_right: bool) -> str:
    if not count:
        return "<td></td>"
    colour = RIGHT_RGB if is_right else WRONG_RGB
    return f'<td style="background: rgba({colour}, {DEEPEST * count / total:.2f})">{count}</td>'


def _class_head(name: str) -> str:
    return f'<th scope="col" title="{escape(name)}"><span>{escape(name)}</span></th>'


def _time_unit(longest_s: float) -> tuple[str, float]:
    """Return a unit in which a time is easy to read, and its seconds."""
    if longest_s <= 300:
        return "seconds", 1.0
    return ("minutes", 60.0) if longest_s <= 3 * 3600 else ("hours", 3600.0)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
