"""Plots of growth: curves stay inside, and are named."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from benchmarks import growth_plots
from benchmarks.growth_plots import HEIGHT, PLOTS, WIDTH
from benchmarks.results_files import is_measured, result

SIZES = [
    {
        "points": points,
        "objectives": objectives,
        "survive_ms": {"median": points / 1000},
        "survive_pymoo_ms": {"median": points / 100},
    }
    for objectives in (3, 2)
    for points in (100_000, 100, 10_000)
]


def test_each_curve_is_drawn_over_ascending_sizes() -> None:
    plot = PLOTS["survival"]
    curves = plot.curves({"sizes": SIZES})
    assert [curve.name for curve in curves] == [
        f"{side}, {count} objectives" for count in (2, 3) for side in ("nasoa", "pymoo")
    ]
    assert curves[1].points == [(100, 1.0), (10_000, 100.0), (100_000, 1000.0)]
    root = ET.fromstring(plot.draw({"sizes": SIZES}))
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 2 * 4  # each is in the key as well
    for line in lines:
        places = [tuple(map(float, xy.split(","))) for xy in line.attrib["points"].split()]
        assert places == sorted(places)
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    texts = {e.text for e in root.iter() if e.tag.endswith("text")}
    assert {"100", "100000", "0.1", "1000", "points", "ms"} <= texts  # logarithmic axes
    assert {curve.name for curve in curves} <= texts


@pytest.mark.parametrize("name", PLOTS)
def test_what_was_measured_can_be_drawn(name: str) -> None:
    source = PLOTS[name].source
    if not is_measured(source):
        pytest.skip(f"{source} was not measured yet")
    assert PLOTS[name].draw(json.loads(json.dumps(result(source)))).startswith("<svg xmlns=")


def test_one_size_is_no_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_plots, "is_measured", lambda _name: True)
    for sizes, expected in ((SIZES, True), (SIZES[:1], False)):
        monkeypatch.setattr(growth_plots, "result", lambda _name, own=sizes: {"sizes": own})
        assert PLOTS["survival"].is_measured() is expected


def test_six_curves_have_six_lines() -> None:
    assert len(set(growth_plots.LINES)) == len(growth_plots.LINES) == 6


def test_the_key_is_where_no_curve_is() -> None:
    """Of falling curves, the upper right corner is free."""
    falling = [size | {"survive_ms": {"median": 1e5 / size["points"]}} for size in SIZES]
    for size in falling:
        size["survive_pymoo_ms"] = {"median": 2e5 / size["points"]}
    for sizes, is_left in ((SIZES, True), (falling, False)):
        root = ET.fromstring(PLOTS["survival"].draw({"sizes": sizes}))
        (name,) = [e for e in root.iter() if e.text == "nasoa, 2 objectives"]
        assert (float(name.attrib["x"]) < WIDTH / 2) is is_left
        assert float(name.attrib["y"]) < HEIGHT / 2
