"""How the page of results is put together, and what its sections say of their tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import predictor_page, results_page, step_time_plots
from benchmarks.growth_plots import PLOTS
from benchmarks.results_files import result
from benchmarks.results_page import Section
from benchmarks.step_time_page import NAME as STEP_TIME
from benchmarks.table_version import COLLECTED, digest, records_today
from nasoa.online.collecting.starter import TABLE


def test_a_remark_is_the_last_paragraph_of_its_section() -> None:
    section = Section(lambda: "## Title\n\n| a |\n", remark="By hand. " * 30)
    *_, paragraph = section.text().split("\n\n")
    assert paragraph.startswith("By hand. By hand.")
    assert all(len(line) <= results_page.WIDTH for line in paragraph.splitlines())
    assert Section(lambda: "## Title\n").text() == "## Title\n"


@pytest.mark.parametrize("is_measured", [False, True])
def test_the_head_says_which_experiments_have_results(
    monkeypatch: pytest.MonkeyPatch, is_measured: bool
) -> None:
    monkeypatch.setattr(results_page, "is_measured", lambda _name: is_measured)
    lines = results_page.introduction().splitlines()
    (line,) = [line for line in lines if "Tables 4 and 5" in line]
    assert "`python -m benchmarks.final`" in line
    assert ("no results yet" in line) is not is_measured
    assert ("results/final.json" in line) is is_measured


def test_plots_of_step_times_are_plots_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they are compared with their file of results."""
    monkeypatch.setattr(results_page, "is_measured", lambda name: name == STEP_TIME)
    monkeypatch.setattr(
        results_page, "result", lambda name: name if name == STEP_TIME else result(name)
    )
    monkeypatch.setattr(step_time_plots, "plots", lambda found: {"step-time.svg": f"of {found}"})
    assert results_page.plots()["step-time.svg"] == f"of {STEP_TIME}"


# Each section on a table of runs, its file, and how the file is told which table it is of.
def online_error(found: Any, table: dict[str, Any]) -> None:
    found["streams"][COLLECTED] |= table


def predictor_tables(found: Any, table: dict[str, Any]) -> None:
    for name in set(found["tables"]) & {COLLECTED}:
        found["tables"][name] |= table


def ablation(found: Any, table: dict[str, Any]) -> None:
    found["tables"][COLLECTED]["table"] = table


def families(found: Any, table: dict[str, Any]) -> None:
    runs = list(found["families"].values())
    for own in runs:
        own["runs"] = 0
    runs[0]["runs"] = table["rows"]
    found["table"] = table


SECTIONS: dict[Callable[[], str], Callable[[Any, dict[str, Any]], None]] = {
    predictor_page.online_error: online_error,
    predictor_page.predictors: predictor_tables,
    predictor_page.parts_of_the_predictor: ablation,
    predictor_page.left_out_families: families,
}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_a_section_names_the_table_that_it_is_of(
    monkeypatch: pytest.MonkeyPatch, section: Callable[[], str]
) -> None:
    today = records_today()

    def text(rows: int, sha256: str) -> str:
        def changed(name: str) -> Any:
            found = result(name)
            SECTIONS[section](found, {"rows": rows, "sha256": sha256})
            return found

        monkeypatch.setattr(predictor_page, "result", changed)
        return section()

    now = text(today, digest(TABLE))
    assert f"{today:,} records" in now
    assert "today's table" not in now
    assert f"4,321 records, where today's table has {today:,}" in text(4321, "a digest")
    assert f"{today:,} records of an earlier version" in text(today, "a digest")


def test_the_ablation_of_an_unknown_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = result(predictor_page.ABLATION)
    for own in found["tables"].values():
        own.pop("table", None)
    monkeypatch.setattr(predictor_page, "result", lambda _name: found)
    assert "the file does not say" in predictor_page.parts_of_the_predictor()


def test_features_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"mae": {"random_order": 0.1, "group_by_group": 0.2}, "regret": 0.3}
    found = {"rows": 100, "runs": 60, "sha256": "a digest", "variants": {"all columns": own}}
    monkeypatch.setattr(predictor_page, "result", lambda _name: found)
    monkeypatch.setattr(predictor_page, "machine_of", lambda _name: "a processor")
    text = predictor_page.features_of_a_task()
    assert "60 trainings with 100 records, where today's table has" in text
    assert "| all columns | 0.1000 | 0.2000 | 0.3000 |" in text


def test_every_plot_has_a_name_of_its_own() -> None:
    assert not {f"growth-{name}.svg" for name in PLOTS} & set(results_page.final_page.PLOTS)
