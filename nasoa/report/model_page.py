"""The page of a saved model, which a notebook shows."""

from __future__ import annotations

from nasoa.online.tuning.saved_model import ModelCard
from nasoa.report.charts import confusion_matrix
from nasoa.report.page import document, facts_table, paragraph
from nasoa.report.words import energy_words, minute, regime_words, trained_parts

MOST_NAMES = 100


def model_page(card: ModelCard) -> str:
    """Return a document: data, network, regime, accuracy and the confusion matrix of a model."""
    parts = [facts_table(_facts(card))]
    if card.confusion:
        parts += ["<h2>Confusion matrix</h2>", confusion_matrix(card.confusion, card.class_names)]
    else:
        parts.append(paragraph("The confusion matrix is not saved with the model.", soft=True))
    return document(f"Classifier of {card.dataset}: accuracy {card.accuracy:.3f}", "\n".join(parts))


def _facts(card: ModelCard) -> list[tuple[str, object]]:
    names = card.class_names
    more = len(names) - MOST_NAMES
    shown = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    facts: list[tuple[str, object]] = [
        ("data set", card.dataset),
        (f"{len(names)} classes", shown),
        ("model", f"{card.entry.name}, pretrained on {card.entry.source}"),
        ("trained parts", trained_parts(card.regime)),
        ("training", regime_words(card.regime)),
        ("accuracy on the test images", _accuracy(card)),
        ("licence of the pretrained weights", card.entry.license or "unknown"),
    ]
    if card.num_train:
        facts += [
            (
                "images for training, validation, test",
                f"{card.num_train}, {card.num_val}, {card.num_test}",
            ),
            ("energy", energy_words(card.energy)),
        ]
    if card.created_at:
        facts.append(("ended at (UTC)", minute(card.created_at)))
    return facts


def _accuracy(card: ModelCard) -> str:
    if card.accuracy_interval is None:
        return f"{card.accuracy:.3f}"
    low, high = card.accuracy_interval
    return (
        f"{card.accuracy:.3f} on {card.num_tested} images (95 % interval {low:.3f} to {high:.3f})"
    )
