"""Write the tables of docs/pretraining.md from the package's models and the files of results.

    python -m benchmarks.pretraining_page [-o docs/pretraining.md]

A table stands between two marks in the page, and what is around them is written by hand. The
section on teachers is empty until `benchmarks.transfer` has compared networks. A test compares the
page with what this writes.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results_files import is_measured, result, source, table
from nasoa.config import PretrainConfig
from nasoa.errors import InvalidInput
from nasoa.zoo.entries import Card, packaged_cards
from nasoa.zoo.step_times import reference_rows

PAGE = Path(__file__).resolve().parents[1] / "docs" / "pretraining.md"
CURVES, TRANSFER = "pretraining.json", "transfer.json"
STEP_BATCH, STEP_RESOLUTION = 64, 64
BEGIN, END = "<!-- {name}: python -m benchmarks.pretraining_page -->", "<!-- end of {name} -->"


def models() -> str:
    """Return the table of the models that this project pretrained."""
    steps = {
        row.model: row.step_s
        for row in reference_rows()
        if (row.resolution, row.batch_size, row.frozen_stages) == (STEP_RESOLUTION, STEP_BATCH, -1)
    }
    cards = [card for card in packaged_cards().values() if card.test_accuracy is not None]
    are_taught = any(card.teacher for card in cards)
    header = ["model", "epochs", "batch", "hours", "validation", "test", "step"]
    rows = []
    for card in cards:
        name = card.entry.name
        step = f"{1000 * steps[name]:.0f} ms" if name in steps else ""
        cells = [name, f"{card.epochs:.0f}", _batch_size(card), f"{card.hours:.2f}"]
        cells += [f"{card.entry.source_accuracy:.3f}", f"{card.test_accuracy:.3f}", step]
        rows.append([*cells, _learned_from(card)] if are_taught else cells)
    return table([*header, "learned from"] if are_taught else header, rows)


def _batch_size(card: Card) -> str:
    words = shlex.split(card.command)
    if "--batch-size" in words:
        return words[words.index("--batch-size") + 1]
    return str(PretrainConfig.small().batch_size)


def _learned_from(card: Card) -> str:
    if not card.teacher:
        return "labels"
    others = len(card.unlabelled)
    return card.teacher + (f", with {others} more data sets" if others else "")


def curves() -> str:
    """Return where the validation accuracy of each pretraining had its maximum."""
    found = result(CURVES)
    rows = []
    for name, own in found.items():
        accuracies, epochs = own["val_accuracy"], own["epochs"]
        best = max(accuracies)
        at = f"{epochs[accuracies.index(best)]:.0f} of {epochs[-1]:.0f}"
        rows.append([name, f"{best:.3f}", at, f"{accuracies[-1]:.3f}"])
    text = table(["model", "maximum", "at epoch", "at the end"], rows)
    cards = packaged_cards()
    for name, own in found.items():
        card = cards.get(name)
        if card is None or card.command == own["command"]:
            continue
        text += (
            f"\nThe package has another training of {name}, with {card.entry.source_accuracy:.3f} "
            f"and {card.test_accuracy:.3f} on test images; this one reached "
            f"{own['validation']:.3f} and {own['test']:.3f}.\n"
        )
    return text


def teachers() -> str:
    """Return what networks from elsewhere gained over those of the package; "" if not compared."""
    if not is_measured(TRANSFER):
        return ""
    document = result(TRANSFER)
    networks = {network["label"]: network for network in document["networks"]}
    rows = [
        [row["label"], networks[row["label"]]["teacher"] or "labels", *_gain(row, verdict, told)]
        for name, verdict, told in (
            ("differences", "ships", "same name"),
            ("newcomers", "joins", "front at its step time"),
        )
        for row in document[name]
    ]
    header = ["network", "learned from", "beside the package's", "mean difference", "unseen tasks"]
    return (
        "### Other weights and networks\n\n"
        "Differences of accuracy to the package's network of the same name, or to its front at the "
        "same step time, averaged over linear heads and full fine-tunes at 64 and 96 px on the "
        "meta-training data sets, with 95 % intervals over data sets "
        f"([more](transfer.md), {source(TRANSFER)}).\n\n" + table([*header, "verdict"], rows)
    )


def _gain(row: dict[str, Any], verdict: str, told: str) -> list[str]:
    """Return the cells on a network's gain; a comparison without all of its runs has none."""
    if verdict not in row:
        return [told, "", "", "not measured yet"]
    low, high = row["interval"]
    unseen = f"{row['unseen']:+.3f}" if "unseen" in row else ""
    return [
        told,
        f"{row['mean']:+.3f} ({low:+.3f} to {high:+.3f})",
        unseen,
        verdict if row[verdict] else "no",
    ]


SECTIONS: dict[str, Callable[[], str]] = {"models": models, "curves": curves, "teachers": teachers}


def rewritten(text: str) -> str:
    """Return a page with its marked sections as they are now.

    Raises:
        InvalidInput: the page lacks the marks of a section.
    """
    for name, made in SECTIONS.items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        before, is_begun, rest = text.partition(f"{begin}\n")
        _old, is_ended, after = rest.partition(end)
        if not (is_begun and is_ended):
            raise InvalidInput(f"expected {begin} and {end} in the page, each in a line of its own")
        own = f"{found}\n" if (found := made()) else ""
        text = f"{before}{begin}\n\n{own}{end}{after}"
    return text


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    output = parser.parse_args().output
    output.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
