"""Format classified images batch by batch: as a table, a JSON array, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from nasoa.plain_text import escaped

if TYPE_CHECKING:
    from nasoa.steps.classifying import Answer

Batches = Iterable[list["Answer"]]
HEADER = ("image", "class", "probability")


def as_table(batches: Batches) -> Iterator[str]:
    """Yield a table for people, with column widths from the first batch; errors follow images."""
    widths: list[int] = []
    for answers in batches:
        rows = [_row(answer) for answer in answers]
        if not widths:
            whole = [row for row in rows if len(row) == len(HEADER)]
            widths = [max(map(len, column)) for column in zip(HEADER, *whole, strict=True)]
            widths[0] = max(widths[0], *(len(row[0]) for row in rows))
            rows.insert(0, HEADER)
        yield "".join(f"{_columns(row, widths)}\n" for row in rows)


def as_json(batches: Batches) -> Iterator[str]:
    """Yield one JSON array, batch by batch; an image that could not be read has the key `error`."""
    before = "[\n"
    for answers in batches:
        elements = []
        for answer in answers:
            text = msgspec.json.format(msgspec.json.encode(_element(answer)), indent=2).decode()
            elements.append("".join(f"  {line}\n" for line in text.splitlines())[:-1])
        yield before + ",\n".join(elements)
        before = ",\n"
    yield "\n]\n"


def as_json_lines(batches: Batches) -> Iterator[str]:
    """Yield a JSON object per line: path, class, probability, error, and all probabilities."""
    for answers in batches:
        yield "".join(f"{msgspec.json.encode(_line(answer)).decode()}\n" for answer in answers)


def as_csv(batches: Batches) -> Iterator[str]:
    """Yield a header, then one line per image: path, class, probability, error."""
    yield "path,class,probability,error\n"
    for answers in batches:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for answer in answers:
            known = ("", "") if answer.error else (escaped(answer.class_name), answer.probability)
            writer.writerow((shown(answer.image), *known, shown(answer.error)))
        yield text.getvalue()


FORMATS: dict[str, Callable[[Batches], Iterator[str]]] = {
    "table": as_table,
    "json": as_json,
    "jsonl": as_json_lines,
    "csv": as_csv,
}


def printable(path: str) -> str:
    """Return a path with bytes that are not UTF-8 replaced, so that it can be encoded."""
    return os.fsencode(path).decode("utf-8", "replace")


def shown(text: str) -> str:
    """Return text that is safe on a terminal: `printable`, with control characters escaped."""
    return escaped(printable(text))


def _row(answer: Answer) -> tuple[str, ...]:
    if answer.error:
        return shown(answer.image), f"error: {shown(answer.error)}"
    return shown(answer.image), escaped(answer.class_name), f"{answer.probability:.3f}"


def _columns(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return "  ".join(cells).rstrip()


def _element(answer: Answer) -> dict[str, object]:
    image = {"image": printable(answer.image)}
    if answer.error:
        known = dict.fromkeys(("class_name", "probability", "probabilities"))
        return {**image, **known, "error": printable(answer.error)}
    return {
        **image,
        "class_name": answer.class_name,
        "probability": answer.probability,
        "probabilities": answer.probabilities,
    }


def _line(answer: Answer) -> dict[str, object]:
    return {
        "path": printable(answer.image),
        "class": None if answer.error else answer.class_name,
        "probability": None if answer.error else answer.probability,
        "error": printable(answer.error) or None,
        "probabilities": None if answer.error else answer.probabilities,
    }
