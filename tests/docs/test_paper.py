"""Paths in docs/paper.md are there; each equation, algorithm and table of the paper has a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w/]+\.(?:py|md))`", TEXT)))


@pytest.mark.parametrize("path", PATHS)
def test_each_path_exists(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("kind", "count"), [("Eq.", 4), ("Algorithm", 3), ("Table", 11), ("Theorem", 1)]
)
def test_everything_that_the_paper_numbers_has_a_row(kind: str, count: int) -> None:
    named: set[int] = set()
    for row in re.findall(rf"^\| {re.escape(kind)}s? ([\d ,and]+)", TEXT, flags=re.MULTILINE):
        named.update(map(int, re.findall(r"\d+", row)))
    assert named == set(range(1, count + 1))


def test_every_row_names_code_and_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "Paper" not in line]
    rows = [row for row in rows if set(row) - set("|- ") and "not implemented" not in row]
    assert len(rows) > 40
    for row in rows:
        *_, code, test = (cell.strip() for cell in row.strip("| ").split("|"))
        assert "see above" in row or (code and test.startswith("`tests/")), row
