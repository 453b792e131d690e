"""The card of a saved model in Markdown, as model hubs show it."""

from __future__ import annotations

from nasoa.online.tuning.saved_model import ModelCard
from nasoa.report.page import markdown_table, markdown_text
from nasoa.report.words import energy_words, regime_words, trained_parts

MOST_COLUMNS = 20  # of a confusion matrix in Markdown
MOST_PAIRS = 20
MOST_NAMES = 100
HEAD = """---
library_name: nasoa
pipeline_tag: image-classification
---
"""
# Sources whose images may be used for non-commercial research only.
IMAGENET = ("ImageNet", "tinyimagenet200")


def model_card_markdown(card: ModelCard) -> str:
    """Return the card: data, regime, accuracy with its interval, confusion, and licences."""
    return "\n".join(
        [
            HEAD,
            f"# Classifier of {markdown_text(card.dataset)}",
            "",
            f"{markdown_text(card.entry.name)}, fine-tuned by nasoa {card.code_version}".rstrip()
            + f". {_accuracy(card)}",
            "",
            "## Data",
            "",
            _data(card),
            "",
            "## Training",
            "",
            _training(card),
            "",
            "## Confusion matrix",
            "",
            _confusion(card),
            "",
            "## Licences",
            "",
            _licences(card),
            "",
            "## Use",
            "",
            "    nasoa predict MODEL_DIR IMAGES",
            "",
        ]
    )


def _accuracy(card: ModelCard) -> str:
    if card.accuracy_interval is None:
        return f"Its accuracy on test images is {card.accuracy:.3f}."
    low, high = card.accuracy_interval
    return (
        f"It classifies {card.accuracy:.1%} of {card.num_tested} test images correctly (95 % "
        f"interval {low:.1%} to {high:.1%}); they were neither trained nor validated on. The "
        "interval holds for images like these; images from elsewhere may differ more."
    )


def _data(card: ModelCard) -> str:
    more = len(card.class_names) - MOST_NAMES
    names = ", ".join(card.class_names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    counts = f"{card.num_train} to train, {card.num_val} to validate, {card.num_test} to test"
    rows = [
        ("data set", card.dataset),
        ("fingerprint", card.fingerprint or "unknown"),
        ("images", counts),
        (f"{len(card.class_names)} classes", names),
    ]
    return markdown_table(("property", "value"), rows)


def _training(card: ModelCard) -> str:
    rows = [
        ("pretrained model", f"{card.entry.name}, on {card.entry.source}"),
        ("trained parts", trained_parts(card.regime)),
        ("regime", regime_words(card.regime)),
        ("validation accuracy", _number(card.val_accuracy)),
        ("predicted accuracy", _number(card.predicted_accuracy)),
        ("time limit", f"{card.time_limit_s:g} s"),
        ("energy", energy_words(card.energy)),
        ("random seed", card.seed),
        ("ended at (UTC)", card.created_at[:19].replace("T", " ")),
    ]
    return markdown_table(("property", "value"), rows)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _confusion(card: ModelCard) -> str:
    """Return the matrix or, for many classes, the pairs that are confused most often."""
    names, counts = card.class_names, card.confusion
    if not counts:
        return "There are too many classes for it here; `nasoa report` shows the task."
    if len(names) <= MOST_COLUMNS:
        rows = [(name, *row) for name, row in zip(names, counts, strict=True)]
        table = markdown_table(("true class", *(f"as {name}" for name in names)), rows)
        return f"Test images of each class, by the class that the model gave them.\n\n{table}"
    pairs = sorted(
        (
            (n, names[i], names[j])
            for i, row in enumerate(counts)
            for j, n in enumerate(row)
            if n and i != j
        ),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    if not pairs:
        return "No test image was misclassified."
    shown = [(true, given, n) for n, true, given in pairs[:MOST_PAIRS]]
    return "The most frequent confusions of test images.\n\n" + markdown_table(
        ("true class", "classified as", "images"), shown
    )


def _licences(card: ModelCard) -> str:
    entry = card.entry
    known = entry.license or "unknown; ask those who made them"
    lines = [f"- Pretrained weights of {markdown_text(entry.name)}: {markdown_text(known)}."]
    if entry.source in IMAGENET:
        lines.append(
            "- They were pretrained on images of ImageNet, which are for non-commercial research."
        )
    lines.append("- The fine-tuned weights also depend on the licence of the data above.")
    return "\n".join(lines)
