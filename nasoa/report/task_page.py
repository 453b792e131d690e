"""Pages about one task: what the UI shows beside its steps."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.records import Candidate, Experience, Regime, Task
from nasoa.report.charts import confusion_matrix, learning_curve
from nasoa.report.page import document, html_table, markdown_table, markdown_text

CANDIDATE_HEADER = (
    "model",
    "trained",
    "lr",
    "schedule",
    "iterations",
    "batch",
    "predicted accuracy",
    "90 % interval",
    "predicted seconds",
)


def trained_parts(regime: Regime) -> str:
    """What a regime trains, in words."""
    names = {
        -1: "everything",
        0: "all but the stem",
        1: "stages 2 to 4 and head",
        2: "stages 3, 4 and head",
        3: "stage 4 and head",
        4: "the head alone",
    }
    return names[regime.frozen_stages]


def task_page(experience: Experience, candidates: Sequence[Candidate]) -> str:
    """A document: what was chosen and why, the learning curve, the confusion matrix."""
    task, regime = experience.task, experience.regime
    facts = [
        ("model", experience.model.name),
        ("trained", trained_parts(regime)),
        ("learning rate", f"{regime.lr:g}, {regime.lr_schedule}"),
        ("iterations", f"{regime.iterations} of {regime.batch_size} images"),
        ("accuracy on the test images", f"{experience.accuracy:.3f}"),
        ("predicted", f"{experience.predicted_accuracy:.3f}"),
        ("on the validation images", f"{experience.val_accuracy:.3f}"),
        ("time", f"{experience.elapsed_s:.1f} of {task.time_limit_s:g} s"),
        ("training ended by", experience.ended),
    ]
    body = "\n".join(
        [
            html_table(("what", "value"), facts),
            "<h2>Learning curve</h2>",
            learning_curve(experience.curve, task.time_limit_s),
            "<h2>Why this regime: the best candidates</h2>",
            html_table(CANDIDATE_HEADER, [_candidate(c) for c in candidates]),
            "<h2>Confusion matrix</h2>",
            confusion_matrix(experience.confusion, task.class_names),
        ]
    )
    return document(f"{task.dataset}: accuracy {experience.accuracy:.3f}", body)


def regime_markdown(
    candidates: Sequence[Candidate], predictor_version: int, num_experiences: int, note: str
) -> str:
    """The best candidates, and what the choice rests on."""
    return "\n".join(
        [
            f"Predictor version {predictor_version}, {num_experiences} experiences. "
            f"Chosen {markdown_text(note)}.",
            "",
            markdown_table(CANDIDATE_HEADER, [_candidate(c) for c in candidates]),
            "",
        ]
    )


def meta_features_markdown(task: Task) -> str:
    """What was measured of a data set."""
    meta = task.meta_features
    rows = [
        ("data set", task.dataset),
        ("classes", meta.num_classes),
        ("images to train, validate, test", f"{task.num_train}, {task.num_val}, {task.num_test}"),
        ("images per class", f"{meta.mean_images_per_class:.1f}"),
        ("their standard deviation", f"{meta.std_images_per_class:.1f}"),
        ("domain similarity", f"{meta.domain_similarity:.4f}"),
        ("mirror images are of the same class", "yes" if task.mirror_safe else "no"),
        ("time limit", f"{task.time_limit_s:g} s"),
    ]
    return markdown_table(("what", "value"), rows) + "\n"


def _candidate(candidate: Candidate) -> tuple[object, ...]:
    regime = candidate.regime
    low, high = candidate.interval
    return (
        regime.model,
        trained_parts(regime),
        f"{regime.lr:g}",
        regime.lr_schedule,
        regime.iterations,
        regime.batch_size,
        f"{candidate.predicted_accuracy:.3f}",
        f"{low:.2f} to {high:.2f}",
        f"{candidate.predicted_s:.1f}",
    )
