"""Format classified images batch by batch: as a table, a JSON array, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from nasoa.cli.output import LEAST_COLUMN
from nasoa.plain_text import escaped

if TYPE_CHECKING:
    from nasoa.steps.classifying import Answer

Batches = Iterable[list["Answer"]]
HEADER = ("image", "class", "probability")
GAP = "  "  # between columns


def as_table(batches: Batches, width: int | None = None) -> Iterator[str]:
    """Yield a table for people, with column widths from the first batch; errors follow images.

    Args:
        batches: the answers.
        width: characters in which a row shall fit, if any: the middle of longer names is left out.
            Errors are always complete.
    """
    widths: list[int] = []
    limits: list[int] = []
    for answers in batches:
        rows = [_row(answer) for answer in answers]
        if not widths:
            whole = [row for row in rows if len(row) == len(HEADER)]
            widths = [max(map(len, column)) for column in zip(HEADER, *whole, strict=True)]
            widths[0] = max(widths[0], *(len(row[0]) for row in rows))
            limits = _limits(widths, width)
            widths = [min(pair) for pair in zip(widths, limits, strict=True)]
            rows.insert(0, HEADER)
        yield "".join(f"{_columns(row, widths, limits)}\n" for row in rows)


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
    """Yield a JSON object per line: image, class_name, probability, error and probabilities."""
    for answers in batches:
        yield "".join(f"{msgspec.json.encode(_line(answer)).decode()}\n" for answer in answers)


def as_csv(batches: Batches) -> Iterator[str]:
    """Yield a header, then one line per image: image, class_name, probability, error."""
    yield "image,class_name,probability,error\n"
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


def _limits(widths: list[int], width: int | None) -> list[int]:
    """Return the most characters of each column; a class takes at most half of its row."""
    if width is None:
        return [sys.maxsize] * len(widths)
    room = width - len(GAP) * (len(widths) - 1) - widths[2]
    class_name = max(LEAST_COLUMN, min(widths[1], room // 2))
    return [max(LEAST_COLUMN, room - class_name), class_name, widths[2]]


def _columns(row: tuple[str, ...], widths: list[int], limits: list[int]) -> str:
    has_error = len(row) < len(HEADER)
    shortened = [without_middle(cell, most) for cell, most in zip(row, limits, strict=False)]
    cells = [shortened[0], *(row[1:] if has_error else shortened[1:])]
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return GAP.join(padded).rstrip()


def without_middle(text: str, most: int) -> str:
    """Return a text in which three points stand for the middle if it is too long.

    The end of a path tells more than its beginning, so two thirds of what is kept are the end.

    >>> without_middle("photos/holiday/2026/beach.jpg", 20)
    'photo...26/beach.jpg'
    """
    if len(text) <= most:
        return text
    kept = max(0, most - 3)
    end = kept - kept // 3
    return f"{text[: kept - end]}...{text[len(text) - end :]}"


def _element(answer: Answer) -> dict[str, object]:
    """Return what a line has, with the key `error` only for an image that could not be read."""
    line = _line(answer)
    error = line.pop("error")
    return {**line, "error": error} if error else line


def _line(answer: Answer) -> dict[str, object]:
    return {
        "image": printable(answer.image),
        "class_name": None if answer.error else answer.class_name,
        "probability": None if answer.error else answer.probability,
        "error": printable(answer.error) or None,
        "probabilities": None if answer.error else answer.probabilities,
    }
