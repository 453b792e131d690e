"""The page about a whole store: its tasks, their curves, and the predictor's versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nasoa.records import Experience, FailedRun
from nasoa.report.charts import learning_curve, predicted_against_reached
from nasoa.report.page import document, html_table
from nasoa.report.version_row import VersionRow, figure
from nasoa.report.words import miss, regime_words, time_used, trained_parts

MAX_CURVES = 24
MAX_VERSIONS = 100
MAX_FAILURES = 100
TITLE = "nasoa: tasks and predictor versions"
TASK_HEADER = (
    "data set",
    "model",
    "predicted",
    "measured",
    "time",
    "predictor",
    "trained parts",
    "training",
    "ended at (UTC)",
)
FAILURE_HEADER = ("subject", "pipeline", "outcome", "message", "at (UTC)", "run")
VERSION_HEADER = (
    "version",
    "made by",
    "tasks learned",
    "recent error",
    "heaviest expert",
    "made at (UTC)",
)


def store_page(
    experiences: Sequence[Experience],
    versions: Sequence[VersionRow],
    failures: Sequence[FailedRun] = (),
) -> str:
    """Return a document about everything in a store; the sequences are oldest first."""
    if not experiences:
        parts = [
            "<p>There are no fine-tunes yet: <code>nasoa finetune</code> creates the first.</p>"
        ]
    else:
        parts = [
            f"<p>{_summary(experiences)}</p>",
            "<h2>Tasks</h2>",
            _tasks(experiences, versions),
            "<h2>Learning curves</h2>",
            _curves(experiences),
            "<h2>Predicted against measured accuracy</h2>",
            "<p>Each dot is a task: above the diagonal it was better than predicted, below it "
            "worse. The task with the worst prediction is named.</p>",
            predicted_against_reached(experiences),
        ]
    if versions:
        parts += ["<h2>Predictor versions</h2>", _versions(versions)]
    elif experiences:
        parts += ["<h2>Predictor versions</h2>", "<p>No version can be read.</p>"]
    if failures:
        parts += ["<h2>Failed runs</h2>", _failures(failures)]
    return document(TITLE, "\n".join(parts))


def _summary(experiences: Sequence[Experience]) -> str:
    misses = [abs(e.predicted_accuracy - e.accuracy) for e in experiences]
    inside = sum(e.elapsed_s <= e.task.time_limit_s for e in experiences)
    count = "1 fine-tune" if len(experiences) == 1 else f"{len(experiences)} fine-tunes"
    return (
        f"{count}, {inside} of {len(experiences)} within the time limit. The predicted accuracy "
        f"was off by {sum(misses) / len(misses):.3f} on average."
    )


def _tasks(experiences: Sequence[Experience], versions: Sequence[VersionRow]) -> str:
    learned_in = {task_id: v.version for v in versions for task_id in v.new}
    rows = [
        (
            e.task.dataset,
            e.model.name,
            f"{e.predicted_accuracy:.3f}",
            f"{e.accuracy:.3f}",
            time_used(e),
            _learning(e, learned_in),
            trained_parts(e.regime),
            regime_words(e.regime),
            _minute(e.created_at),
        )
        for e in experiences
    ]
    note = (
        '<p class="soft">Predictor: the version that predicted, and the version that learned from '
        "the result; version 0 has learned nothing. Training: learning rate and its schedule, "
        "iterations x batch size.</p>"
    )
    return note + html_table(TASK_HEADER, rows, numbers=("predicted", "measured"))


def _learning(experience: Experience, learned_in: Mapping[str, int]) -> str:
    """Return the predictor's version before and after, the latter only if it is known."""
    before = experience.predictor_version
    if not learned_in:
        return f"version {before}"
    after = learned_in.get(experience.task.task_id)
    return f"{before} → {after}" if after else f"{before}, not learned yet"


def _curves(experiences: Sequence[Experience]) -> str:
    shown = experiences[-MAX_CURVES:]
    note = (
        f'<p class="soft">The newest {len(shown)} of {len(experiences)} fine-tunes.</p>'
        if len(shown) < len(experiences)
        else ""
    )
    figures = [
        f"<figure>{learning_curve(e.curve, e.task.time_limit_s)}"
        f"<figcaption>{escape(e.task.dataset)}: {e.accuracy:.3f} on the test images, "
        f"{miss(e)}</figcaption></figure>"
        for e in shown
    ]
    return f'{note}<div class="charts">{"".join(figures)}</div>'


def _versions(versions: Sequence[VersionRow]) -> str:
    shown = versions[-MAX_VERSIONS:]
    note = (
        f" The newest {len(shown)} of {len(versions)} versions."
        if len(shown) < len(versions)
        else ""
    )
    rows = [
        (
            v.version,
            v.made_by,
            v.num_learned,
            figure(v.mean_abs_error_recent),
            v.heaviest,
            _minute(v.created_at),
        )
        for v in shown
    ]
    text = (
        '<p class="soft">Recent error: mean of the latest 50 absolute errors of predictions made '
        f"before their outcome was known. Heaviest expert: that of the largest weight.{note}</p>"
    )
    return text + html_table(
        VERSION_HEADER, rows, numbers=("version", "tasks learned", "recent error")
    )


def _failures(failures: Sequence[FailedRun]) -> str:
    shown = failures[-MAX_FAILURES:]
    note = f" The newest {len(shown)} of {len(failures)}." if len(shown) < len(failures) else ""
    rows = [
        (f.subject, f.pipeline, f.state.lower(), f.message, _minute(f.created_at), f.run_id)
        for f in shown
    ]
    text = f'<p class="soft">Pipeline runs; see the log of the failed step for details.{note}</p>'
    return text + html_table(FAILURE_HEADER, rows)


def _minute(created_at: str) -> str:
    """Return a time in ISO form, to the minute."""
    return created_at[:16].replace("T", " ")
