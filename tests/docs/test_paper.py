"""Every row of docs/paper.md: its paths, its status, and its numbers against paper and code."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.final import hpo
from nasoa.arch import parse_block
from nasoa.arch.spec import OPERATOR_NAMES, RATIOS
from nasoa.config import EvaluateConfig
from nasoa.offline.space import MacroSpace
from nasoa.online.adaptive_mlp.adaptive_mlp import AdaptiveMLP
from nasoa.online.collecting.starter import collected_runs
from nasoa.steps.searches import MacroCells

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
TEXT = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w/]+\.(?:py|md))`", TEXT)))
STATUSES = ("exact", "open", "departs", "partly", "missing")
SECTIONS = (
    *("3.1", "3.2", "3.2.1", "4.1", "4.2", "4.3", "4.4", "5", "6.1", "6.2", "7.1.1", "7.1.2"),
    *("7.1.3", "7.2.1", "7.2.2", "7.3.1", "7.3.2", "7.4", "7.4.1", "7.5", "7.6", "8", "9"),
)


class Row(NamedTuple):
    """A row of a table that has a status; `tests` is empty in the table of settings."""

    item: str
    says: str
    code: str
    tests: str
    status: str


def tables() -> Iterator[tuple[list[str], list[list[str]]]]:
    """Header and rows of each table."""
    for block in re.findall(r"(?m)(?:^\|.*\n)+", TEXT):
        lines = [
            [cell.strip() for cell in line[1:-2].split("|")] for line in block.splitlines(True)
        ]
        yield lines[0], lines[2:]


def rows() -> list[Row]:
    found = []
    for header, lines in tables():
        if header[-1] == "Status":
            assert {len(line) for line in lines} == {len(header)}, header
            at = {name: place for place, name in enumerate(header)}
            test = at.get("Test")
            for line in lines:
                tests = "" if test is None else line[test]
                found.append(Row(line[0], line[1], line[at["Code"]], tests, line[-1]))
    return found


ROWS = rows()


@pytest.mark.parametrize("path", PATHS)
def test_each_path_exists(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("kind", "count"),
    [("Eq.", 4), ("Algorithm", 3), ("Table", 11), ("Figure", 11), ("Theorem", 1)],
)
def test_everything_that_the_paper_numbers_has_a_row(kind: str, count: int) -> None:
    named = [re.match(rf"{re.escape(kind)} (\d+)\b", row.item) for row in ROWS]
    assert {int(match[1]) for match in named if match} == set(range(1, count + 1))


def test_each_section_has_a_row() -> None:
    named = [re.match(r"([\d.]+)\b", row.item) for row in ROWS]
    assert {match[1] for match in named if match} >= set(SECTIONS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.item)
def test_a_row_says_where_and_how_close(row: Row) -> None:
    status = re.match(r"\w+", row.status)
    assert status
    assert status[0] in STATUSES
    if status[0] in ("departs", "open", "partly"):
        assert re.match(r"\w+: .{8}", row.status), "the status needs a reason"
    if status[0] != "missing":
        assert row.code.startswith("`"), "code is needed where something is implemented"
        is_setting = re.fullmatch(r"`\w+\.\w+`", row.item)
        assert is_setting or row.tests.startswith("`tests/")


# What repeats an experiment of the paper, or measures a claim: modules of benchmarks/, each of
# which writes a file of results of its name.
EXPERIMENTS = (
    "final",
    "step_time",
    "finetune_vs_scratch",
    "lr_frozen_grid",
    "speed",
    "task_features",
)
MEASURED = [name for name in EXPERIMENTS if (RESULTS / f"{name}.json").exists()]
# The tables and figures that a status refers to, such as "see Tables 6 and 7, Figure 8".
REFERS = re.compile(r"missing: ((?:(?:see|and|Tables?|Figures?|\d+),? ?)+)(?:;.*)?")


def outdated(rows: list[Row], measured: list[str]) -> list[str]:
    """Rows that are missing though there are results, or though what they refer to is not."""
    modules = "|".join(measured) or "none"
    named = re.compile(rf"`benchmarks/(?:{modules})(?:_page|_plots|_networks)?(?:\.py|/)")
    missing = [row for row in rows if row.status.startswith("missing")]
    of_missing = {word[0] for row in missing if (word := re.match(r"(Table|Figure) \d+", row.item))}
    found = [row.item for row in missing if named.search(row.code)]
    found += [row.item for row in missing if not set(referred(row.status)) <= of_missing]
    return found


def referred(status: str) -> list[str]:
    match = REFERS.fullmatch(status)
    found, kind = [], ""
    for word in re.findall(r"Table|Figure|\d+", match[1] if match else ""):
        if word.isdigit():
            found.append(f"{kind} {word}")
        else:
            kind = word
    return found


def test_what_has_results_is_not_missing() -> None:
    assert outdated(ROWS, MEASURED) == []


def test_rows_that_are_wrongly_missing_are_noticed() -> None:
    assert referred("missing: see Tables 6 and 7, Figures 7 and 8") == [
        "Table 6",
        "Table 7",
        "Figure 7",
        "Figure 8",
    ]
    assert referred("missing: Table 4 gives 77.17") == []
    rows = [
        Row("Table 2", "", "`benchmarks/step_time.py`", "", "missing: no results yet"),
        Row("Figure 4", "", "`benchmarks/step_time_plots.py`", "", "missing: see Table 2"),
        Row("Figure 5", "", "", "", "missing: see Table 2; of the others"),
    ]
    assert outdated(rows, []) == []
    assert outdated(rows, ["step_time"]) == ["Table 2", "Figure 4"]
    done = [rows[0]._replace(status="exact"), *rows[1:]]
    assert outdated(done, ["final"]) == ["Figure 4", "Figure 5"]


def plain(text: str) -> str:
    """Text without what depends on line breaks and on how a page was read from a PDF."""
    return re.sub(r"[\s-]+", "", text)


def test_quotations_are_the_papers(shared: Path) -> None:
    paper = plain((shared / "paper" / "nasoa.txt").read_text(encoding="utf-8"))
    quoted = re.findall(r"“((?:[^“”]|“[^“”]*”)+)”", TEXT.partition("## Equations")[2])
    assert len(quoted) > 40
    assert [words for words in quoted if plain(words) not in paper] == []


def test_encodings_and_costs_are_those_of_table_10(shared: Path) -> None:
    (lines,) = [lines for header, lines in tables() if header[:2] == ["Model", "Encoding"]]
    paper = json.loads((shared / "paper" / "tables.json").read_text())["table10_et_nas"]["rows"]
    ours = [(name, code.strip("`"), *map(float, costs)) for name, code, *costs in lines]
    assert ours == [(n, f"{b} {c} {m}", p, g, a) for n, b, c, m, p, g, a, *_ in paper]


def counted(*path: str) -> Any:
    found = json.loads((RESULTS / "space_counts.json").read_text())
    for name in path:
        found = found[name]
    return found


def blocks_of_three(name: str) -> int:
    return next(row[name] for row in counted("blocks") if row["operators"] == 3)


MLP = AdaptiveMLP.paper(1)
BLOCK, MACRO = EvaluateConfig.paper("block"), EvaluateConfig.paper("macro")
SMALL = EvaluateConfig.small()
ANY_BLOCK = parse_block("020-")  # ranges of macro structures do not depend on their cells
IN_CODE: dict[str, tuple[object, object]] = {
    # setting: as in the paper, default (None where the page has words)
    "predictor.L": (MLP.num_layers, None),
    "predictor.hidden_units": (MLP.state()["output"].shape[1] - 1, None),
    "predictor.learning_rate": (MLP.eta, None),
    "predictor.beta": (MLP.beta, None),
    "predictor.meta_samples": (None, len(collected_runs())),
    "block_search.batch_size": (BLOCK.batch_size, SMALL.batch_size),
    "block_search.epochs": (BLOCK.epochs, SMALL.epochs),
    "block_search.lr": (BLOCK.lr, SMALL.lr),
    "block_search.selected_blocks": (MacroCells().count, MacroCells().count),
    "block_search.search_space": (blocks_of_three("texts_with_three_skips"), None),
    "macro_search.batch_size": (MACRO.batch_size, EvaluateConfig.small("macro").batch_size),
    "macro_search.epochs": (MACRO.epochs, EvaluateConfig.small("macro").epochs),
    "macro_search.lr": (MACRO.lr, EvaluateConfig.small("macro").lr),
    "macro_search.search_space": (counted("macro", "all"), None),
    "bohb_settings.random_fraction": (hpo.RANDOM_FRACTION, None),
    "bohb_settings.percent_good_observations": (hpo.PERCENT_GOOD, None),
    "bohb_settings.min_budget": (min(hpo.FRACTIONS), None),
    "bohb_settings.max_budget": (max(hpo.FRACTIONS), None),
}


def number(text: str) -> object:
    """A cell: a number, a list of numbers, a range; None for words and nothing."""
    values = [float(v) for v in re.split(r", | to ", text) if re.fullmatch(r"[\d.]+", v)]
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def settings() -> dict[str, list[str]]:
    (lines,) = [lines for header, lines in tables() if header[0] == "Setting" and len(header) == 6]
    return {line[0].strip("`"): line[1:] for line in lines}


def test_settings_are_the_papers(shared: Path) -> None:
    paper = json.loads((shared / "paper" / "tables.json").read_text())
    for name, (value, *_) in settings().items():
        group, key = name.split(".")
        assert number(value) == paper[group][key], name
    for group in ("predictor", "bohb_settings"):
        assert {f"{group}.{key}" for key in paper[group]} <= set(settings())


def test_settings_are_those_of_the_code() -> None:
    ranges = {
        f"macro_search.{name}": (
            list(getattr(MacroSpace.paper((ANY_BLOCK,)), field)),
            list(getattr(MacroSpace.small((ANY_BLOCK,)), field)),
        )
        for name, field in (
            ("blocks", "blocks"),
            ("first_channel", "first_channels"),
            ("last_channel", "last_channels"),
        )
    }
    known = {**IN_CODE, **ranges}
    for name, (paper, as_paper, by_default, _code, status) in settings().items():
        if as_paper:
            assert number(as_paper) == known[name][0], name
            assert (number(as_paper) == number(paper)) == status.startswith("exact"), name
        if name in known and known[name][1] is not None:
            assert number(by_default) == known[name][1], name


def test_operators_and_ratios_are_those_of_table_8(shared: Path) -> None:
    table = json.loads((shared / "paper" / "tables.json").read_text())["table8_operators"]
    assert list(table["ops"].values()) == list(OPERATOR_NAMES)
    assert list(table["ratios"].values()) == list(RATIOS)


def mean_accuracy(paper: Any, method: str) -> float:
    (row,) = [row for row in paper["table4_final"]["rows"] if row[0] == method]
    return statistics.mean(row[2:])


def step_ms(paper: Any, model: str) -> float:
    (row,) = [row for row in paper["table2_peers"]["rows"] if row[0] == model]
    return float(row[3])


COMPUTED: dict[str, tuple[str, Callable[[Any], list[float]]]] = {
    "Abstract, zoo": (
        r"Table 2 gives ([\d.]+)",
        lambda paper: [step_ms(paper, "RegNetY-16GF") / step_ms(paper, "ET-NAS-G")],
    ),
    "Abstract, EfficientNet": (
        r"Table 2 gives ([\d.]+)",
        lambda paper: [step_ms(paper, "EfficientNet-B3") / step_ms(paper, "ET-NAS-I")],
    ),
    "4.4, adaption": (
        r"Table 4 gives ([\d.]+)",
        lambda paper: [
            mean_accuracy(paper, "Our final NASOA")
            - mean_accuracy(paper, "Our Zoo with Fixed MLP (Offline)")
        ],
    ),
    "4.4, zoo": (
        r"Table 4 gives ([\d.]+) and ([\d.]+)",
        lambda paper: [
            mean_accuracy(paper, "BOHB (HPO only)"),
            mean_accuracy(paper, "Our Zoo with BOHB"),
        ],
    ),
}


@pytest.mark.parametrize("item", COMPUTED)
def test_what_the_papers_tables_give(item: str, shared: Path) -> None:
    paper = json.loads((shared / "paper" / "tables.json").read_text())
    pattern, compute = COMPUTED[item]
    (row,) = [row for row in ROWS if row.item == item]
    told = re.search(pattern, row.status)
    assert told
    assert [float(text) for text in told.groups()] == pytest.approx(compute(paper), abs=0.006)
