"""The page about a store with no, one and many fine-tunes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from nasoa.records import Experience, FailedRun
from nasoa.report.store_page import store_page
from nasoa.report.version_row import VersionRow


def version(number: int, *new: str) -> VersionRow:
    return VersionRow(
        version=number,
        parent=number - 1,
        num_learned=number + 6,
        created_at="2026-02-03T04:05:06",
        code_version="0",
        weights={"depth 1": 0.25, "depth 2": 0.75},
        mean_abs_error_recent=0.0625,
        new=new,
    )


@pytest.mark.parametrize("count", [0, 1, 40])
def test_it_tells_of_every_task(
    make_experience: Callable[..., Experience], check_page: Callable[[str], None], count: int
) -> None:
    page = store_page([make_experience(f"set-{i}") for i in range(count)], [version(1)] * count)
    check_page(page)
    assert ("no fine-tunes yet" in page) == (count == 0)
    for i in range(count):
        assert f"<td>set-{i}</td>" in page
    # At most the newest 24 curves, and the scatter plot.
    assert page.count("<svg") == (min(count, 24) + 1 if count else 0)
    assert ("newest 24 of 40 fine-tunes" in page) == (count == 40)


def test_it_shows_the_numbers_of_a_task(
    make_experience: Callable[..., Experience], check_page: Callable[[str], None], evil: str
) -> None:
    page = store_page([make_experience(evil)], [version(5, f"task of {evil}")])
    check_page(page)
    for shown in (
        "1 fine-tune, 1 of 1 within the time limit",
        "off by 0.128 on average",
        ">0.710<",
        ">0.838<",
        "18.3 of 20 s",
        ">4 → 5<",
        "stages 3, 4 and head",
        "update of version 4<",
        ">11<",
        "depth 2 0.75",
        ">0.062<",
        "2026-02-03 04:05<",
    ):
        assert shown in page


def test_it_tells_a_task_that_is_not_learned_yet(
    make_experience: Callable[..., Experience],
) -> None:
    page = store_page([make_experience("a"), make_experience("b")], [version(5, "task of a")])
    assert ">4 → 5<" in page
    assert ">4, not learned yet<" in page


def test_it_claims_nothing_where_it_is_not_known_who_learned(
    make_experience: Callable[..., Experience],
) -> None:
    page = store_page([make_experience()], [version(5)])
    assert "<td>version 4</td>" in page
    assert "not learned" not in page


def test_it_counts_passed_limits(make_experience: Callable[..., Experience]) -> None:
    late = dataclasses.replace(make_experience("late"), elapsed_s=20.5)
    page = store_page([make_experience(), late], [])
    assert "2 fine-tunes, 1 of 2 within the time limit" in page
    assert "20.5 of 20 s (over the limit)" in page
    assert "No version can be read" in page


def test_versions_are_shown_without_fine_tunes_and_not_without_end() -> None:
    page = store_page([], [version(i) for i in range(1, 151)])
    assert "newest 100 of 150 versions" in page
    assert page.count("2026-02-03 04:05") == 100


def test_it_tells_of_runs_that_failed(check_page: Callable[[str], None], evil: str) -> None:
    failures = [
        FailedRun(
            run_id=f"run-{i}",
            pipeline="finetune-task",
            subject=evil if i == 100 else f"data-{i}",
            state="FAILED",
            message="the pod was evicted",
            created_at="2026-02-03T04:05:06",
            code_version="0",
        )
        for i in range(101)
    ]
    page = store_page([], [], failures)
    check_page(page)
    assert "The newest 100 of 101." in page
    assert "<td>data-0</td>" not in page
    assert page.count("the pod was evicted") == 100
    assert "Failed runs" not in store_page([], [])
