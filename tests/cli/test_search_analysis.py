"""`nasoa search analyse` on the recorded searches that docs/search-results.md describes."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.search_rows import evaluation
from nasoa.arch import parse
from nasoa.cli import main
from nasoa.offline.search import SearchConfig, architecture_hash
from nasoa.records import from_json, to_json
from nasoa.store import keys, open_store

ROOT = Path(__file__).resolve().parents[2]
Write = Callable[..., str]


@pytest.fixture(scope="module")
def recorded() -> list[dict[str, Any]]:
    """Read the recorded searches: settings and evaluations."""
    table = ROOT / "benchmarks" / "results" / "search.jsonl.gz"
    return [json.loads(line) for line in gzip.decompress(table.read_bytes()).splitlines()]


@pytest.fixture
def write_search(tmp_path: Path, recorded: list[dict[str, Any]]) -> Write:
    """Write a recorded search, or its first `limit` evaluations, into a store; return its URI."""

    def write(name: str, limit: int | None = None) -> str:
        store = open_store(str(tmp_path / "store"))
        own = [row for row in recorded if row["search"] == name]
        (settings,) = (row["settings"] for row in own if "settings" in row)
        config = from_json(to_json(settings), SearchConfig)
        store.put(keys.search_config(name), to_json(config))
        evolved = [evaluation(row) for row in own if row.get("kind") == "evolved"]
        for record in evolved[:limit]:
            architecture = architecture_hash(parse(record.encoding))
            store.put(keys.evaluation(name, architecture), to_json(record))
        return store.uri

    return write


def documented(level: str) -> dict[str, list[float]]:
    """Read coefficient, standard error, p and the paper's coefficient by term from the page."""
    text = (ROOT / "docs" / "search-results.md").read_text(encoding="utf-8")
    section = text.split(f"## The {level} search")[1].split("### What makes")[1].split("###")[0]
    rows = re.findall(r"^\| (\w+) \| (.*) \|$", section, flags=re.MULTILINE)
    return {name: [float(cell) for cell in cells.split(" | ")] for name, cells in rows[1:]}


@pytest.mark.parametrize(("name", "level"), [("blocks", "block"), ("macro", "macro")])
def test_it_gives_the_documented_regression(
    write_search: Write, capsys: pytest.CaptureFixture[str], name: str, level: str
) -> None:
    uri = write_search(name)
    assert main(["search", "analyse", name, "--json", "--store", uri]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["search"] == name
    regression = document["regression"]
    assert regression["level"] == level
    found = {
        term["name"]: [term[key] for key in ("coefficient", "standard_error", "p_value", "paper")]
        for term in regression["terms"]
    }
    expected = documented(level)
    assert list(found) == list(expected)
    for term, figures in expected.items():
        assert found[term] == pytest.approx(figures, abs=0.0006), term
    assert document["step_time_correlations"]["macs"] > 0.5


def test_it_says_in_words_what_counts(
    write_search: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = write_search("blocks")
    assert main(["search", "analyse", "blocks", "--store", uri]) == 0
    text = capsys.readouterr().out
    assert "178 trained architectures" in text
    assert "R² 0.22 (paper: 0.56)" in text
    assert re.search(r"num_skip_add +-0\.333 +0\.080", text)
    assert (
        "these have the sign of the paper: num_skip_add, num_skip_concat, output_channel, "
        "conv3x3_group4; these have the opposite sign: none." in text
    )
    assert "Correlation of step time with other costs: macs 0.86" in text
    assert re.search(
        r"large ones complex blocks, as in the paper: (not )?confirmed on .* of 7", text
    )


def test_it_says_why_the_front_is_not_tested(
    write_search: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasoa.offline.block_complexity.FEWEST_MEMBERS", 1000)
    uri = write_search("blocks")
    assert main(["search", "analyse", "blocks", "--store", uri]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Not tested" in line]
    assert "expected a front of at least 1000 architectures" in line
    assert main(["search", "analyse", "blocks", "--json", "--store", uri]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["block_trend"] is None
    assert document["no_block_trend"] in line


@pytest.mark.parametrize("limit", [0, 1, 12])
def test_too_few_evaluations_are_one_line(
    write_search: Write, capsys: pytest.CaptureFixture[str], limit: int
) -> None:
    uri = write_search("blocks", limit)
    assert main(["search", "analyse", "blocks", "--json", "--store", uri]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(
        r"nasoa: expected at least 18 trained architectures .* got \d+; .*\n", captured.err
    )


def test_it_shows_how_much_is_read(
    write_search: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = write_search("blocks", 2)
    monkeypatch.setattr("nasoa.cli.output.WORK_DELAY_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["search", "analyse", "blocks", "--store", uri]) == 2
    assert "0 of 2 evaluations" in capsys.readouterr().err


def test_an_unknown_search_is_named(
    write_search: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = write_search("blocks", 1)
    assert main(["search", "analyse", "other", "--store", uri]) == 2
    assert "unknown search 'other': expected one of blocks; the store is" in capsys.readouterr().err
