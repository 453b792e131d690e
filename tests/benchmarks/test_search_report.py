"""The report on searches: its commands make the same searches, and it shows what they maximised."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.run_log import Row
from benchmarks.search_commands import commands, search_options
from benchmarks.search_report import section
from nasoa.arch import parse_block
from nasoa.cli import search as cli
from nasoa.config import EvaluateConfig
from nasoa.offline.search import SearchConfig
from nasoa.offline.space import BlockSpace, MacroSpace

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
    parts = section("s", "block", with_evaluation(signal=signal), rows, "plot.svg")
    text = "\n".join(parts)
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
