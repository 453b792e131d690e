"""The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

`sklearn:digits` stands for all of them, `sklearn:digits:classes=0,1,2:per_class=60` for the first
60 images of three classes. The parts are separated by colons, which need no quotes in a shell.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from nasoa.data.array_source import ArraySource
from nasoa.data.source import ImageRecord
from nasoa.errors import DataError, UnknownName
from nasoa.whole_number import whole_number

SYNTAX = "sklearn:digits[:classes=0,1,...][:per_class=N]"
# Values in the file range from 0, no ink, to 16.
_DEEPEST = 16
_NUM_DIGITS = 1797


def read_digits(spec: str, data: str) -> ArraySource:
    """Read the digits, or a subset of them.

    Args:
        spec: DATA without `sklearn:`.
        data: DATA, for messages.

    Raises:
        UnknownName: `spec` names another data set.
        DataError: the subset is malformed, or scikit-learn is not installed.
    """
    name, *parts = spec.split(":")
    if name != "digits":
        raise UnknownName("scikit-learn data set", name, ["digits"])
    classes, per_class = _subset(parts, data)
    rows = np.loadtxt(_file(), delimiter=",", dtype=np.int64)
    targets = rows[:, -1]
    chosen = np.sort(
        np.concatenate([np.flatnonzero(targets == digit)[:per_class] for digit in classes])
    )
    records = [ImageRecord(f"digits[{index}]", str(targets[index])) for index in chosen]
    inks = rows[chosen, :-1].reshape(-1, 8, 8)
    images = (inks * 255 / _DEEPEST).round().astype(np.uint8)
    suffix = "" if len(classes) == 10 else "-" + "".join(map(str, classes))
    suffix += "" if per_class is None else f"-x{per_class}"
    return ArraySource(name + suffix, records, [str(digit) for digit in classes], images)


def _file() -> Path:
    """Return the file of the digits; importing scikit-learn would take a second of a time limit."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("expected scikit-learn, which contains the digits, but it is not installed")
    return Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _subset(parts: list[str], data: str) -> tuple[list[int], int | None]:
    """Return the digits in ascending order, and the most images of each; None for all of them."""
    classes, per_class = list(range(10)), None
    for part in parts:
        key, _, value = part.partition("=")
        given = [whole_number(text, _NUM_DIGITS) for text in value.split(",")]
        numbers = [number for number in given if number is not None]
        if len(numbers) != len(given):
            raise _malformed(data, part)
        if key == "classes" and max(numbers) <= 9 and len(set(numbers)) == len(numbers):
            classes = sorted(numbers)
        elif key == "per_class" and len(numbers) == 1 and numbers[0] >= 1:
            per_class = numbers[0]
        else:
            raise _malformed(data, part)
    return classes, per_class


def _malformed(data: str, part: str) -> DataError:
    return DataError(f"{part!r} in {data} is not a subset of the digits: expected {SYNTAX}")
