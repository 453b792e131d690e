"""Pages about one task, which the UI shows beside its steps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nasoa.records import Candidate, Experience, Task
from nasoa.report.charts import confusion_matrix, learning_curve
from nasoa.report.page import document, facts_table, html_table, markdown_table, markdown_text
from nasoa.report.words import (
    ending,
    energy_words,
    landmark,
    miss,
    regime_words,
    time_used,
    trained_parts,
    why,
)

CANDIDATE_HEADER = (
    "rank",
    "model",
    "trained",
    "lr",
    "schedule",
    "iterations",
    "batch",
    "resolution",
    "predicted accuracy",
    "90 % interval",
    "predicted seconds",
    "why",
)
NUMBERS = frozenset(CANDIDATE_HEADER) - {"model", "trained", "schedule", "why"}
WHY = (
    "Why: the predicted accuracy that would be lost with the value of the middle candidate, or "
    "of a typical data set, instead."
)


def task_page(experience: Experience, candidates: Sequence[Candidate]) -> str:
    """Return a document: the choice and its reasons, the learning curve, the confusion matrix.

    Args:
        experience: the finished fine-tune.
        candidates: the candidates it was chosen from, best first; the first was chosen.
    """
    task = experience.task
    lead = (
        f"{experience.model.name}, with {trained_parts(experience.regime)} trained, achieved an "
        f"accuracy of {experience.accuracy:.3f} on test images that were not used in training "
        f"({miss(experience)}), in {time_used(experience)}."
    )
    body = "\n".join(
        [
            f"<p>{escape(lead)}</p>",
            facts_table(_facts(experience)),
            "<h2>Learning curve</h2>",
            learning_curve(experience.curve, task.time_limit_s),
            "<h2>Why this regime</h2>",
            _reasons(experience, candidates),
            "<h2>Confusion matrix</h2>",
            confusion_matrix(experience.confusion, task.class_names),
        ]
    )
    return document(f"{task.dataset}: accuracy {experience.accuracy:.3f}", body)


def regime_markdown(
    candidates: Sequence[Candidate], predictor_version: int, num_experiences: int, note: str
) -> str:
    """Return the best candidates in Markdown, and what the choice is based on.

    Args:
        candidates: candidates, best first; the first is chosen.
        predictor_version: version of the predictor; 0 if nothing is learned yet.
        num_experiences: number of finished fine-tunes that this version has learned.
        note: source of the choice, which follows "Chosen".
    """
    basis = (
        f"Predictor version {predictor_version}, which has learned from {num_experiences} "
        f"{'fine-tune' if num_experiences == 1 else 'fine-tunes'}."
        if predictor_version
        else "No predictor version yet."
    )
    parts = [f"{basis} Chosen {markdown_text(note)}.", ""]
    if candidates:
        rows = [_candidate(i, c) for i, c in enumerate(candidates, start=1)]
        parts += [WHY, "", markdown_table(CANDIDATE_HEADER, rows), ""]
    return "\n".join(parts)


def meta_features_markdown(task: Task) -> str:
    """Return the measurements of a data set in Markdown."""
    meta = task.meta_features
    rows = [
        ("data set", task.dataset),
        ("read from", task.data),
        ("classes", meta.num_classes),
        (
            "images for training, validation, test",
            f"{task.num_train}, {task.num_val}, {task.num_test}",
        ),
        ("training images per class, mean", f"{meta.mean_images_per_class:.1f}"),
        ("training images per class, standard deviation", f"{meta.std_images_per_class:.1f}"),
        ("similarity to the pretraining images (0 to 1)", f"{meta.domain_similarity:.4f}"),
        ("accuracy of a simple classifier on a sample", landmark(meta)),
        ("image size, median of the shorter sides", f"{task.resolution} px"),
        ("mirrored images keep their class", "yes" if task.mirror_safe else "no"),
        ("time limit", f"{task.time_limit_s:g} s"),
    ]
    return markdown_table(("property", "value"), rows) + "\n"


def _facts(experience: Experience) -> list[tuple[str, object]]:
    task = experience.task
    return [
        ("model", f"{experience.model.name}, pretrained on {experience.model.source}"),
        ("trained parts", trained_parts(experience.regime)),
        ("training", regime_words(experience.regime)),
        ("accuracy on the test images", f"{experience.accuracy:.3f}"),
        ("predicted accuracy", f"{experience.predicted_accuracy:.3f}"),
        ("accuracy on the validation images", f"{experience.val_accuracy:.3f}"),
        ("time", time_used(experience)),
        ("energy", energy_words(experience.energy)),
        ("training ended because", ending(experience.ended)),
        (
            "images for training, validation, test",
            f"{task.num_train}, {task.num_val}, {task.num_test}",
        ),
        ("classes", len(task.class_names)),
        ("ended at (UTC)", experience.created_at[:19].replace("T", " ")),
    ]


def _reasons(experience: Experience, candidates: Sequence[Candidate]) -> str:
    version = experience.predictor_version
    basis = (
        f"version {version} of the predictor"
        if version
        else "the default formula, as no fine-tune had been learned yet"
    )
    if not candidates:
        return f"<p>The accuracy was predicted by {basis}; no candidates were stored.</p>"
    text = (
        f"<p>The candidates that fit the time limit were ranked by {basis}. These were the best; "
        "the first was chosen. It lists planned iterations; the table above lists those made.</p>"
    )
    return text + candidates_section(candidates)


def candidates_section(candidates: Sequence[Candidate]) -> str:
    """Return a table of candidates, best first, and the reasons of each below it."""
    # The reasons are too long for a column of a page.
    rows = [_candidate(i, c)[:-1] for i, c in enumerate(candidates, start=1)]
    table = html_table(CANDIDATE_HEADER[:-1], rows, NUMBERS)
    reasons = "".join(f"<li>{escape(why(candidate.reasons))}</li>" for candidate in candidates)
    return f"{table}<p>{escape(WHY)}</p><ol>{reasons}</ol>"


def _candidate(rank: int, candidate: Candidate) -> tuple[object, ...]:
    regime = candidate.regime
    low, high = candidate.interval
    return (
        rank,
        regime.model,
        trained_parts(regime),
        f"{regime.lr:g}",
        regime.lr_schedule,
        regime.iterations,
        regime.batch_size,
        f"{regime.resolution} px",
        f"{candidate.predicted_accuracy:.3f}",
        f"{low:.2f} to {high:.2f}",
        f"{candidate.predicted_s:.1f}",
        why(candidate.reasons),
    )
