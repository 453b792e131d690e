"""The zoo in the page about a store: accuracy against step time, and every model."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.report.accuracy_chart import TimedModel, accuracy_against_time
from nasoa.report.contents import ModelRow
from nasoa.report.page import chart, charts, html_table, paragraph

AXES_SIZE = (400, 300)
MAX_CHARTS = 6
MAX_ROWS = 200
OWN_FAMILY = "ET-NAS"
HEADER = (
    "model",
    "family",
    "pretrained on",
    "accuracy",
    "step ms",
    "ms per image",
    "MMAC",
    "Mparam",
    "px",
)
NUMBERS = HEADER[3:]


def zoo_section(models: Sequence[ModelRow], hardware: str) -> str:
    """Return the section about the models of a zoo; `hardware` is where their steps were timed."""
    by_source: dict[str, list[ModelRow]] = {}
    for model in models:
        by_source.setdefault(model.source, []).append(model)
    sources = sorted(by_source, key=lambda source: (-len(by_source[source]), source))
    measured = sum(model.is_measured for model in models)
    batch = models[0].batch_size
    text = (
        "Accuracy on validation images of the data set that a model was pretrained on, against the "
        f"time of a training step of all parts: a batch of {batch} images at the model's own "
        f"resolution on {hardware}. {measured} of {len(models)} step times were measured there; "
        "those marked with ≈ are estimates. Accuracies on different data sets cannot be compared, "
        "so each has its own chart."
    )
    drawn = [
        chart(accuracy_against_step(by_source[source]), _caption(source, by_source[source]))
        for source in sources[:MAX_CHARTS]
    ]
    return paragraph(text, soft=True) + charts(drawn) + _table(models)


def accuracy_against_step(models: Sequence[ModelRow]) -> str:
    """Draw accuracy against step time (SVG): circles for ET-NAS, diamonds for peers."""
    source = models[0].source
    return accuracy_against_time(
        [TimedModel(m.name, m.accuracy, m.step_ms, m.family == OWN_FAMILY) for m in models],
        AXES_SIZE,
        title=f"Accuracy against step time of models pretrained on {source}",
        timed="training step",
        y_title=f"accuracy on {source}",
    )


def _caption(source: str, models: Sequence[ModelRow]) -> str:
    own = sum(model.family == OWN_FAMILY for model in models)
    kinds = [
        f"{own} ET-NAS (circles)" if own else "",
        f"{len(models) - own} other{'s' * (len(models) - own > 1)} (diamonds)"
        if own < len(models)
        else "",
    ]
    joined = "; the line joins those that no other beats in both" if len(models) > 1 else ""
    return f"Pretrained on {source}: {' and '.join(filter(None, kinds))}{joined}."


def _table(models: Sequence[ModelRow]) -> str:
    ordered = sorted(models, key=lambda m: (m.source, m.step_ms, m.name))
    note = f"The first {MAX_ROWS} of {len(ordered)} models." if len(ordered) > MAX_ROWS else ""
    rows = [
        (
            m.name,
            m.family,
            m.source,
            f"{m.accuracy:.3f}",
            f"{m.step_ms:.0f}" if m.is_measured else f"≈ {m.step_ms:.0f}",
            f"{m.image_ms:.2f}" if m.is_measured else f"≈ {m.image_ms:.2f}",
            f"{m.macs / 1e6:.0f}",
            f"{m.num_params / 1e6:.1f}",
            m.resolution,
        )
        for m in ordered[:MAX_ROWS]
    ]
    return (paragraph(note, soft=True) if note else "") + html_table(HEADER, rows, NUMBERS)
