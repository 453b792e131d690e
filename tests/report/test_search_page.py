"""The page about a search."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from nasoa.config import EvaluateConfig
from nasoa.offline.search import SearchConfig, progress
from nasoa.offline.space import BlockSpace
from nasoa.records import Evaluation
from nasoa.report.contents import SearchResults
from nasoa.report.search_page import scatter, search_page
from nasoa.report.search_section import search_section
from tests.evaluations import evaluation

CONFIG = SearchConfig(block=BlockSpace.small(), data="x.zip", evaluate=EvaluateConfig.small())


@pytest.fixture
def evaluations(evil: str) -> list[Evaluation]:
    return [
        evaluation("0- 16 1-2-21-2", 10.0, 0.5),
        evaluation("1- 16 1-2-21-2", 20.0, 0.4),
        evaluation("2- 16 1-2-21-2", 30.0, 0.7),
        evaluation("3- 16 1-2-21-2", 40.0, None, detail=evil),
    ]


def test_the_front_and_what_failed_are_told(evaluations: list[Evaluation], evil: str) -> None:
    generations = [[e.encoding for e in evaluations]]
    rows = progress(CONFIG, generations, {e.encoding: e for e in evaluations})
    page = search_page("blocks", CONFIG, evaluations, rows)
    told = "4 architectures evaluated in 1 generations, 1 failed or too slow, 2 on the front"
    assert told in page
    table = page[page.index("<h2>Architectures") :]
    assert table.index("2- 16") < table.index("0- 16") < table.index("1- 16")
    assert "dominated" in table
    assert evil not in page
    assert "<script>" not in page


def test_the_plot_joins_the_front_and_shows_others(evaluations: list[Evaluation]) -> None:
    svg = scatter(evaluations, [("basic & co", 25.0, 0.6)])
    tree = ElementTree.fromstring(svg)
    assert len(tree.findall("circle")) == 3
    line = tree.find("polyline[@class='curve']")
    assert line is not None
    assert len(line.attrib["points"].split()) == 2
    (diamond,) = tree.findall("path")
    assert diamond[0].text == "basic & co: accuracy 0.600, 25.0 ms"
    # Faster architectures are further left, more accurate ones higher.
    x = [float(point.split(",")[0]) for point in line.attrib["points"].split()]
    y = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert x[0] < x[1]
    assert y[0] > y[1]


def test_a_search_without_evaluations_has_a_page() -> None:
    assert "Nothing has been evaluated yet" in search_page("blocks", CONFIG, [], [])


@pytest.mark.parametrize(
    ("signal", "name", "other"),
    [("loss", "loss score", "accuracy"), ("teacher", "teacher score", "same class as teacher")],
)
def test_a_search_by_another_signal_shows_it_beside_the_accuracy(
    evaluations: list[Evaluation], signal: str, name: str, other: str
) -> None:
    config = replace(CONFIG, evaluate=replace(CONFIG.evaluate, signal=signal))
    # The slowest has the best score, but not the best accuracy.
    scored = [
        replace(e, score=score)
        for e, score in zip(evaluations, (0.11, 0.22, 0.33, None), strict=True)
    ]
    rows = progress(config, [[e.encoding for e in scored]], {e.encoding: e for e in scored})
    page = search_page("blocks", config, scored, rows)
    assert f"<h2>{name.capitalize()} against step time" in page
    assert f"2- 16 1-2-21-2: {name} 0.330, 30.0 ms" in page
    table = page[page.index("<h2>Architectures") :]
    assert table.index(f">{name}<") < table.index(f">{other}<")
    assert table.index("0.330") < table.index("0.220") < table.index("0.110")
    assert f'data-label="{other}">0.700' in table
    section = search_section(
        [
            SearchResults(
                name="blocks",
                config=config,
                generations=(tuple(e.encoding for e in scored),),
                evaluations={e.encoding: e for e in scored},
                progress=tuple(rows),
            )
        ]
    )
    assert f"{name} on the proxy" in section
    assert f"2- 16 1-2-21-2: {name} 0.330, 30.0 ms" in section
    assert f">{other}<" in section
