"""The fine-tunes of a store with their regimes and learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nasoa.records import Experience
from nasoa.report.charts import learning_curve
from nasoa.report.contents import StoreContents
from nasoa.report.page import chart, charts, html_table, paragraph
from nasoa.report.version_row import VersionRow
from nasoa.report.words import minute, miss, regime_words, time_used, trained_parts

MAX_TASKS = 500
MAX_OPEN = 20
MAX_CURVES = 24
MAX_OPEN_CURVES = 6
DEFAULT_METHOD = "default"
HEADER = (
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


def task_section(contents: StoreContents) -> str:
    """Return the section about the fine-tunes, newest first."""
    experiences = contents.experiences
    # Both predictors learn every task; each is asked only about the tasks that it chose for.
    by_default, by_paper = map(_learned_in, (contents.versions, contents.paper_versions))
    learned_in = {
        e.task.task_id: by_default if e.task.method == DEFAULT_METHOD else by_paper
        for e in experiences
    }
    newest = list(reversed(experiences[-MAX_TASKS:]))
    text = (
        "Predictor: the version that predicted, and the version that learned from the result; "
        "version 0 has learned nothing, and versions of the predictor of --method paper are marked "
        "as such. Training: learning rate and its schedule, iterations x batch size."
    )
    if len(newest) < len(experiences):
        text += f" The newest {len(newest)} of {len(experiences)} fine-tunes."
    parts = [paragraph(text, soft=True), _table(newest[:MAX_OPEN], learned_in)]
    older = newest[MAX_OPEN:]
    if older:
        parts.append(
            f"<details><summary>{len(older)} older fine-tune{'s' * (len(older) > 1)}</summary>"
            f"{_table(older, learned_in)}</details>"
        )
    return "".join([*parts, "<h3>Learning curves</h3>", _curves(newest, len(experiences))])


def _table(experiences: Sequence[Experience], learned_in: Mapping[str, Mapping[str, int]]) -> str:
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
            minute(e.created_at),
        )
        for e in experiences
    ]
    return html_table(HEADER, rows, numbers=("predicted", "measured"))


def _learned_in(versions: Sequence[VersionRow]) -> dict[str, int]:
    """Return the version that learned each task."""
    return {task_id: v.version for v in versions for task_id in v.new}


def _learning(experience: Experience, learned_in: Mapping[str, Mapping[str, int]]) -> str:
    """Return the predictor's version before and after, the latter only if it is known."""
    before = str(experience.predictor_version)
    if experience.task.method != DEFAULT_METHOD:
        before = f"{experience.task.method} {before}"
    versions = learned_in[experience.task.task_id]
    if not versions:
        return f"version {before}"
    after = versions.get(experience.task.task_id)
    return f"{before} → {after}" if after else f"{before}, not learned yet"


def _curves(newest: Sequence[Experience], count: int) -> str:
    shown = newest[:MAX_CURVES]
    note = f"The newest {len(shown)} of {count} fine-tunes." if len(shown) < count else ""
    drawn = [
        chart(
            learning_curve(e.curve, e.task.time_limit_s),
            f"{e.task.dataset}: {e.accuracy:.3f} on the test images, {miss(e)}",
        )
        for e in shown
    ]
    parts = [paragraph(note, soft=True) if note else "", charts(drawn[:MAX_OPEN_CURVES])]
    if len(drawn) > MAX_OPEN_CURVES:
        older = drawn[MAX_OPEN_CURVES:]
        parts.append(f"<details><summary>{len(older)} more</summary>{charts(older)}</details>")
    return "".join(parts)
