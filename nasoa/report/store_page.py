"""The page about a whole store: its tasks, their curves, and what the predictor learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nasoa.records import Experience
from nasoa.report.charts import learning_curve, predicted_against_reached
from nasoa.report.page import document, html_table
from nasoa.report.task_page import trained_parts

MAX_CURVES = 24


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """A version of the predictor, as the page shows it."""

    version: int
    parent: int
    num_learned: int
    created_at: str
    alpha: tuple[float, ...]


def store_page(experiences: Sequence[Experience], versions: Sequence[VersionRow]) -> str:
    """A document about everything in a store, oldest first."""
    if not experiences:
        body = "<p>There are no fine-tunes yet: <code>nasoa finetune</code> makes the first.</p>"
        return document("nasoa", body)
    errors = [abs(e.predicted_accuracy - e.accuracy) for e in experiences]
    body = "\n".join(
        [
            f"<p>{len(experiences)} fine-tunes; the predicted accuracy was off by "
            f"{sum(errors) / len(errors):.3f} on average.</p>",
            "<h2>Tasks</h2>",
            _tasks(experiences),
            "<h2>Learning curves</h2>",
            _curves(experiences[-MAX_CURVES:]),
            "<h2>Predicted against reached</h2>",
            predicted_against_reached(experiences),
            "<h2>Predictor versions</h2>",
            _versions(versions),
        ]
    )
    return document("nasoa: tasks and what was learned", body)


def _tasks(experiences: Sequence[Experience]) -> str:
    header = (
        "data set",
        "model",
        "trained",
        "lr",
        "iterations",
        "predicted",
        "reached",
        "seconds",
        "limit",
        "predictor",
    )
    rows = [
        (
            e.task.dataset,
            e.model.name,
            trained_parts(e.regime),
            f"{e.regime.lr:g}, {e.regime.lr_schedule}",
            e.regime.iterations,
            f"{e.predicted_accuracy:.3f}",
            f"{e.accuracy:.3f}",
            f"{e.elapsed_s:.1f}",
            f"{e.task.time_limit_s:g}",
            f"version {e.predictor_version}",
        )
        for e in experiences
    ]
    return html_table(header, rows)


def _curves(experiences: Sequence[Experience]) -> str:
    figures = [
        f"<figure>{learning_curve(e.curve, e.task.time_limit_s)}"
        f"<figcaption>{escape(e.task.dataset)}, reached {e.accuracy:.3f} "
        f"(the dashed line is the limit)</figcaption></figure>"
        for e in experiences
    ]
    return f'<div class="charts">{"".join(figures)}</div>'


def _versions(versions: Sequence[VersionRow]) -> str:
    rows = [
        (
            v.version,
            v.parent or "nothing",
            v.num_learned,
            v.created_at[:19].replace("T", " "),
            " ".join(f"{weight:.2f}" for weight in v.alpha),
        )
        for v in versions
    ]
    header = ("version", "made from", "tasks learned", "made at (UTC)", "weights of the depths")
    return html_table(header, rows)
