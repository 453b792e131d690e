"""The report on searches: its commands make the same searches, and it shows what they maximised."""

from __future__ import annotations

import argparse
import gzip
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import search_report
from benchmarks.run_log import Row
from benchmarks.search_commands import commands, search_options
from benchmarks.search_figures import figures
from benchmarks.search_report import own_rows, plot, read_table
from benchmarks.search_rows import UNRECORDED, hardware_in_words
from benchmarks.search_sections import page, plot_file, section
from nasoa.arch import parse_block
from nasoa.cli import search as cli
from nasoa.config import EvaluateConfig
from nasoa.offline.search import SearchConfig
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.records import to_json

DOCS = Path(__file__).resolve().parents[2] / "docs"

BLOCKS = SearchConfig(block=BlockSpace.small(), data="x.zip", evaluate=EvaluateConfig.small())
CELLS = (parse_block("020-"), parse_block("14441-"))


def with_evaluation(**changes: Any) -> SearchConfig:
    return replace(BLOCKS, evaluate=replace(BLOCKS.evaluate, **changes))


@pytest.mark.parametrize(
    "config",
    [
        BLOCKS,
        with_evaluation(stop_share=0.1, early_stop="stopped", epochs=30, lr=0.05),
        with_evaluation(signal="teacher", teacher="efficientnet-lite0", teacher_resolution=128),
        with_evaluation(signal="loss", all_if_fewer=False),
        with_evaluation(train_per_class=40, val_per_class=20, timeout_s=60.5),
        with_evaluation(signal="teacher", teacher="ET-NAS-A", teacher_resolution=224),
        with_evaluation(weight_decay=1e-4, min_scale=0.08, step_batch_size=8),
        replace(BLOCKS, epsilon=(2.0, 0.005), num_random=32, pool=4, num_children=8),
        replace(with_evaluation(seed=3), seed=3),
        replace(BLOCKS, block=replace(BlockSpace.small(), sampling="uniform", max_skips=1)),
        replace(BLOCKS, block=BlockSpace.paper(), evaluate=EvaluateConfig.paper("block")),
        replace(
            BLOCKS,
            block=None,
            macro=replace(MacroSpace.small(CELLS), blocks=(5, 9)),
            max_step_time_ms=120.0,
        ),
        replace(
            BLOCKS,
            block=None,
            macro=MacroSpace.paper(CELLS),
            evaluate=EvaluateConfig.paper("macro"),
        ),
    ],
)
def test_a_printed_command_makes_the_same_search(config: SearchConfig) -> None:
    parser = argparse.ArgumentParser()
    cli.add_verbs(parser.add_subparsers(), argparse.ArgumentParser(add_help=False))
    words = shlex.split(" ".join(search_options(config)))
    arguments = parser.parse_args(["search", "run", "name", *words])
    arguments.store = "unused"
    assert cli._config(arguments) == config


def test_commands_name_the_searches_and_their_studies() -> None:
    macro = replace(BLOCKS, block=None, macro=MacroSpace.small(CELLS))
    rows: list[Row] = [
        {"search": search, "kind": kind}
        for search, kind in (("b", "evolved"), ("b", "evolved"), ("b", "random"), ("m", "evolved"))
    ]
    text = commands({"b": BLOCKS, "m": macro}, rows)
    assert "nasoa search run b --space block" in text
    assert "--max-evaluations 2" in text
    assert "--workers" not in text
    assert "--cells-from b --num-cells 2" in text
    assert "search_study.py random --search b" in text
    assert text.endswith("search_study.py table --search b m")
    assert max(len(line) for line in text.splitlines()) <= 100


def searched(scored: bool) -> list[Row]:
    """Return a table whose accuracies and scores rank architectures in opposite orders."""
    common = {"seed": 0, "failure": "", "macs": 10**6, "params": 10**5, "activations": 10**5}
    found = []
    for i in range(40):
        spec = f"{i % 4}2{i % 5}- {16 * (1 + i % 3)} 1-2-21-2"
        value = {"accuracy": 0.5 - i / 100, "score": 0.1 + i / 100 if scored else None}
        row = {**common, "encoding": spec, "step_time_ms": 10.0 + i % 7, "elapsed_s": 1.0, **value}
        found.append(row | {"kind": "evolved", "generation": 1})
        if i < 6:
            found.append(row | {"kind": "full"})
            found.append(row | {"kind": "reseeded", "seed": 1})
            found.append(row | {"kind": "random"})
            found.append(row | {"kind": "references", "name": "basic"})
    return found


@pytest.mark.parametrize(
    ("signal", "name", "best"),
    [
        ("accuracy", "accuracy", 0.5),
        ("loss", "loss score", 0.49),
        ("teacher", "teacher score", 0.49),
    ],
)
def test_a_section_shows_what_the_search_maximised(signal: str, name: str, best: float) -> None:
    rows = searched(signal != "accuracy")
    config = with_evaluation(signal=signal)
    text = "\n".join(section(config, figures(rows, config), "plot.svg"))
    assert f"best {name} |" in text
    assert "| evolved, all | 40 |" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| evolved, all")]
    assert line.endswith(f"| {best:.3f} |")
    assert f"best {name} on the front" in text
    assert f"correlation between the {name} in the search" in text
    assert f"1.00 by {name}" in text
    shown = {"accuracy": name, "loss": f"{name} | accuracy", "teacher": f"{name} | same class"}
    assert f"| architecture | {shown[signal]}" in text
    if signal == "loss":
        assert "1.00 by accuracy" in text


def test_table_11_rests_on_random_architectures_too_if_asked() -> None:
    rows = searched(scored=False)
    for i in range(12):
        row = {**rows[0], "kind": "random", "encoding": f"{i % 4}1{i % 5}-a01 32 1-2-21-2"}
        rows.append(row | {"accuracy": 0.3 + i / 100, "step_time_ms": 20.0 - i / 2})
    slow = {**rows[0], "kind": "random", "encoding": "4- 48 1-2-21-2"}
    rows.append(slow | {"accuracy": None, "failure": "too slow"})
    alone, pooled = (
        figures(rows, BLOCKS, pools_random=pools)["regression"] for pools in (False, True)
    )
    encodings = {row["encoding"] for row in rows if row["kind"] == "evolved"}
    drawn = {row["encoding"] for row in rows if row["kind"] == "random" and row["accuracy"]}
    assert (alone["n"], alone["num_random"]) == (40, 0)
    assert pooled["num_random"] == len(drawn - encodings) == 12
    assert pooled["n"] == 52
    assert pooled["step_time_correlations"] == alone["step_time_correlations"]
    found = figures(rows, BLOCKS, pools_random=True)
    text = "\n".join(section(BLOCKS, found, "plot.svg"))
    assert "with n = 52, 12 of them sampled at random" in text


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("cpu-amd-epyc-1t-bfloat16", "a CPU (amd-epyc, bfloat16), one thread per network"),
        ("cpu-amd-epyc-8t-float32", "a CPU (amd-epyc, float32), 8 threads per network"),
        ("cuda-nvidia-h200-bfloat16", "a GPU (nvidia-h200, bfloat16)"),
        ("", UNRECORDED),
    ],
)
def test_the_page_names_the_hardware_of_the_evaluations(key: str, words: str) -> None:
    rows = searched(scored=False)
    if key:
        rows = [row | {"hardware": key} for row in rows]
    assert hardware_in_words(rows) == words
    text = "\n".join(section(BLOCKS, figures(rows, BLOCKS), "plot.svg"))
    assert f"batches of 64 images on {words}." in text


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of one search."""
    config = json.loads(to_json(BLOCKS))
    lines = [{"search": "s", "settings": config}]
    lines += [{"search": "s", **row} for row in searched(scored=False)]
    path = tmp_path / "search_2.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return path


def test_another_table_gets_its_own_page_plots_and_figures(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table.parent
    monkeypatch.setattr(search_report, "RESULTS", folder)
    command = ["search_report", "--table", str(table), "-o", str(folder)]
    for wrong, told in (
        ([], "expected --page with another table"),
        (["--page", "other"], "expected a name like search-results-2"),
        (["--page", "search-signals"], "expected a name like search-results-2"),
    ):
        monkeypatch.setattr("sys.argv", [*command, *wrong])
        with pytest.raises(SystemExit):
            search_report.main()
        assert told in capsys.readouterr().err
    assert list(folder.iterdir()) == [table]
    monkeypatch.setattr("sys.argv", [*command, "--page", "search-results-2", "--pool-random"])
    search_report.main()
    assert {path.name for path in folder.iterdir()} == {
        table.name,
        "search-results-2.md",
        "search-results-2-s.svg",
        "search_results_2.json",
    }
    text = (folder / "search-results-2.md").read_text()
    assert "--table benchmarks/results/search_2.jsonl.gz --page search-results-2" in text
    assert "(search-results-2-s.svg)" in text
    found = json.loads((folder / "search_results_2.json").read_text())["searches"]["s"]
    assert {row["name"] for row in found["hypervolumes"]["architectures"]} == {
        "evolved, the first",
        "evolved, all",
        "random",
    }
    assert found["early_stop"]["spearman"]["accuracy"] == pytest.approx(1.0)
    assert found["reseeded"]["spearman"] == pytest.approx(1.0)
    assert {term["name"] for term in found["regression"]["terms"]} >= {"num_skip_add"} - set(
        found["regression"]["left_out"]
    )


def test_the_page_on_the_recorded_searches_is_what_their_table_says() -> None:
    """Where it is not: python -m benchmarks.search_report."""
    searches, rows = read_table(search_report.TABLE)
    found = {name: figures(own_rows(rows, name), config) for name, config in searches.items()}
    document = {
        "command": search_report.COMMAND,
        "table": search_report.TABLE.name,
        "hardware": hardware_in_words(rows),
        "searches": found,
    }
    text = page(document, searches, commands(searches, rows), search_report.PAGE)
    assert (DOCS / f"{search_report.PAGE}.md").read_text(encoding="utf-8") == text
    for name, config in searches.items():
        drawn = plot(config, own_rows(rows, name))
        assert (DOCS / plot_file(search_report.PAGE, name)).read_text(encoding="utf-8") == drawn
    recorded = json.loads((search_report.RESULTS / "search_results.json").read_text())
    for name, own in json.loads(json.dumps(found)).items():
        assert recorded["searches"][name]["regression"]["terms"] == [
            pytest.approx(term) for term in own["regression"]["terms"]
        ]
