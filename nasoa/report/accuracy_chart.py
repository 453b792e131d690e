"""The chart of accuracy against time of Figures 4, 5 and 11: the own models and their peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nasoa.report.axes import Axes, Scale
from nasoa.report.labels import Named, labels


@dataclass(frozen=True)
class TimedModel:
    """A model, its accuracy in [0, 1], and a time in ms; `is_own` marks those of ET-NAS."""

    name: str
    accuracy: float
    time_ms: float
    is_own: bool


def accuracy_against_time(
    models: Sequence[TimedModel], size: tuple[int, int], *, title: str, timed: str, y_title: str
) -> str:
    """Draw accuracy against time (SVG): circles for ET-NAS, diamonds for peers, the front joined.

    Args:
        models: models to draw, at least one.
        size: width and height in units of the view box.
        title: title of the chart.
        timed: what the time is that of, for the horizontal axis.
        y_title: title of the vertical axis.
    """
    scale = Scale.of(model.time_ms for model in models)
    axes = Axes.around(*size, [model.accuracy for model in models])
    best = front(models)
    before, after = axes.draw(
        title=title,
        described=f"{len(models)} models; on the front: {', '.join(m.name for m in best)}",
        x_title=f"{timed} in ms" + (" (logarithmic)" if scale.is_log else ""),
        y_title=y_title,
        ticks=scale.ticks,
    )
    places = {
        m.name: Named(axes.x(scale.share(m.time_ms)), axes.y(m.accuracy), m.name) for m in models
    }
    line = " ".join(f"{places[m.name].x:.1f},{places[m.name].y:.1f}" for m in best)
    marks = [f'<polyline class="curve" points="{line}"/>']
    marks += [_mark(model, places[model.name], timed) for model in models]
    on_front = {model.name for model in best}
    first = sorted(models, key=lambda m: (m.name not in on_front, not m.is_own))
    return before + "".join(marks) + labels([places[m.name] for m in first], axes) + after


def front(models: Sequence[TimedModel]) -> list[TimedModel]:
    """Return the models that no other beats in both accuracy and time, by time."""
    found: list[TimedModel] = []
    for model in sorted(models, key=lambda m: (m.time_ms, -m.accuracy)):
        if not found or model.accuracy > found[-1].accuracy:
            found.append(model)
    return found


def _mark(model: TimedModel, at: Named, timed: str) -> str:
    told = f"{model.name}: accuracy {model.accuracy:.3f}, {timed} {model.time_ms:.1f} ms"
    title = f"<title>{escape(told)}</title>"
    if model.is_own:
        return f'<circle class="best" cx="{at.x:.1f}" cy="{at.y:.1f}" r="5">{title}</circle>'
    return f'<path class="other" d="M{at.x:.1f} {at.y - 6:.1f} l6 6 l-6 6 l-6 -6 z">{title}</path>'
