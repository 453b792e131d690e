"""The page about the predictor's versions, and its charts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.report.predictor_page import predictor_page
from nasoa.report.version_charts import HEIGHT, WIDTH, error_chart, weight_chart
from nasoa.report.version_row import VersionRow, lineage, some_tasks


def row(version: int, *errors: float, parent: int | None = None, **fields: object) -> VersionRow:
    """Return a version that learned one task for each error."""
    defaults: dict[str, object] = {
        "new": tuple(f"t{version}-{i}" for i in range(len(errors))),
        "num_errors": len(errors),
        "weights": {"trees": 0.75, "ridge": 0.25},
    }
    return VersionRow(
        version=version,
        parent=version - 1 if parent is None else parent,
        num_learned=5,
        errors=errors,
        created_at="2026-02-03T04:05:06",
        code_version="0",
        **{**defaults, **fields},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("count", [0, 1, 2, 250])
def test_it_tells_of_every_version(check_page: Callable[[str], None], count: int) -> None:
    rows = [row(i, 0.1, -0.3, num_errors=2 * i) for i in range(1, count + 1)]
    page = predictor_page(rows)
    check_page(page)
    assert ("No version can be read" in page) == (count == 0)
    assert page.count("<svg") == (2 if count else 0)
    assert page.count("<circle") == 2 * count
    assert page.count("2026-02-03 04:05") == min(count, 200)
    assert ("newest 200 of 250 versions" in page) == (count == 250)


def test_it_shows_the_numbers_of_a_version(check_page: Callable[[str], None], evil: str) -> None:
    newest = row(
        7,
        0.5,
        -0.25,
        new=(evil, "b"),
        left_out=("c", evil),
        num_errors=12,
        mean_abs_error=0.375,
        mean_abs_error_so_far=0.111,
        mean_abs_error_recent=0.222,
        rang_at=(12,),
        weights={evil: 0.6, "ridge": 0.4},
    )
    page = predictor_page([row(6, 0.1, num_errors=10), newest])
    check_page(page)
    for shown in (
        "2 versions; the newest, 7, has learned 5 tasks and leaves out 2.",
        "off by 0.222 on average, all so far by 0.111.",
        "The drift alarm rang at version 7.",
        ">drift alarm, version 7<",
        ">update of version 6<",
        ">0.375<",
        "ridge 0.40",
        "learned by version 7: off by 0.250",
        "and 1 more",
    ):
        assert shown in page


def test_the_chart_follows_what_the_newest_came_from() -> None:
    rows = [
        row(1, 0.1, num_errors=1, parent=0),
        row(2, 0.9, num_errors=2),
        row(3, parent=1, kind="rollback", num_errors=1),
        row(4, 0.2, num_errors=2),
    ]
    assert [r.version for r in lineage(rows)] == [1, 3, 4]
    assert [r.version for r in lineage(rows[1:])] == [3, 4]
    assert lineage([]) == []
    page = predictor_page(rows)
    assert "off by 0.900" not in page
    assert "off by 0.200" in page
    assert "rollback to version 1" in page


def test_versions_of_an_early_release_have_no_errors(check_page: Callable[[str], None]) -> None:
    page = predictor_page([row(1, new=("a",), weights={})])
    check_page(page)
    assert page.count("<circle") == 0


values = st.floats(-1, 1)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(values, max_size=5),
            st.dictionaries(st.sampled_from("abcdef"), st.floats(-2, 2)),
        ),
        max_size=12,
    )
)
def test_charts_stay_inside_their_frame(
    check_page: Callable[[str], None], made: list[tuple[list[float], dict[str, float]]]
) -> None:
    rows, total = [], 0
    for i, (errors, weights) in enumerate(made, start=1):
        total += len(errors)
        rang = (total,) if total else ()
        rows.append(row(i, *errors, num_errors=total, weights=weights, rang_at=rang))
    for chart in (error_chart(rows), weight_chart(rows)):
        for name, size in (("x", WIDTH), ("y", HEIGHT)):
            places = re.findall(rf' (?:c{name}|{name}|{name}1|{name}2)="([-.\d]+)"', chart)
            assert all(0 <= float(place) <= size for place in places)
        for points in re.findall(r'points="([^"]*)"', chart):
            for x, y in (point.split(",") for point in points.split()):
                assert 0 <= float(x) <= WIDTH
                assert 0 <= float(y) <= HEIGHT
    check_page(predictor_page(rows))


def test_ten_thousand_errors_make_a_page_of_bounded_size() -> None:
    rows = [row(1, *([0.1, -0.2] * 5000), num_errors=10_000, kind="rebuild", parent=0)]
    page = predictor_page(rows)
    assert len(page) < 250_000
    assert "10000 predictions, off by 0.150 on average" in page


def test_tasks_are_counted_where_there_are_many() -> None:
    assert some_tasks(()) == ""
    assert some_tasks(("a",)) == "a"
    assert some_tasks(("a", "b", "c")) == "a and 2 more"
