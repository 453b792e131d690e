"""The page about a store: its sections, what it has of each, and its size."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from nasoa.records import Experience, FailedRun
from nasoa.report.contents import SearchResults, StoreContents
from nasoa.report.store_page import store_page
from nasoa.report.version_row import VersionRow

SECTIONS = ["Fine-tunes", "Experience", "Costs", "Energy", "Zoo", "Searches", "Failed runs"]


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


def sections(page: str) -> list[str]:
    found = re.findall(r'<section id="([^"]+)"><h2>([^<]+)</h2>', page)
    linked = re.findall(r'<a href="#([^"]+)">', page)
    assert [anchor for anchor, _name in found] == linked
    return [name for _anchor, name in found]


def test_a_full_store_has_every_section(
    make_contents: Callable[..., StoreContents], check_page: Callable[[str], None], evil: str
) -> None:
    page = store_page(make_contents(evil))
    check_page(page)
    assert sections(page) == SECTIONS
    for title in (
        "Predicted against measured accuracy",
        "Absolute error over time",
        "Coverage of the intervals over time",
        "Known regret over time",
        "alpha (Eq. 4)",
        "Accuracy against step time of models pretrained on tiny",
        "Hypervolume of the front",
        "Time used as a fraction of the limit",
        "Mean seconds of each step",
        "Energy of each fine-tune",
        "drift alarm, version 3",
    ):
        assert title in page


def test_nothing_is_shown_of_what_a_store_lacks(
    make_contents: Callable[..., StoreContents], check_page: Callable[[str], None]
) -> None:
    full = make_contents()
    assert sections(store_page(StoreContents())) == []
    assert sections(store_page(StoreContents(models=full.models))) == ["Zoo"]
    searched = store_page(StoreContents(searches=full.searches))
    assert sections(searched) == ["Costs", "Searches"]
    one = dataclasses.replace(full.experiences[0], energy=None)
    tuned = store_page(StoreContents(experiences=(one,)))
    assert sections(tuned) == ["Fine-tunes", "Experience", "Costs"]
    # No intervals, no other fine-tune of the data, no versions, no outcomes.
    for title in ("Coverage", "Known regret", "Weights of", "Mean seconds"):
        assert title not in tuned
    for page in (searched, tuned):
        check_page(page)


def test_both_colour_schemes_are_declared(make_contents: Callable[..., StoreContents]) -> None:
    page = store_page(make_contents())
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    assert "color-scheme: light dark" in light
    colours = re.findall(r"(--\w+):", light)
    assert sorted(colours) == sorted(re.findall(r"(--\w+):", dark.partition("} }")[0]))
    # Every colour of a chart or of text is one of these, so none is left over from one scheme.
    used = re.findall(r"(?:fill|stroke|color|background): *(#\w+|[a-z]+\()", page)
    assert set(used) <= {"var("}
    assert set(re.findall(r"var\((--\w+)\)", page)) <= set(colours)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_it_tells_of_every_task(
    make_experience: Callable[..., Experience], check_page: Callable[[str], None], count: int
) -> None:
    experiences = tuple(make_experience(f"set-{i}") for i in range(count))
    page = store_page(StoreContents(experiences=experiences, versions=(version(1),) * count))
    check_page(page)
    assert ("no fine-tunes yet" in page) == (count == 0)
    for i in range(count):
        assert f'<td data-label="data set">set-{i}</td>' in page
    # At most the newest 24 curves; prediction, error, weights, limit.
    assert page.count("<svg") == (min(count, 24) + 4 if count else 0)
    assert ("20 older fine-tunes" in page) == (count == 40)
    assert ("newest 24 of 40 fine-tunes" in page) == (count == 40)


def test_it_shows_the_numbers_of_a_task(
    make_experience: Callable[..., Experience], check_page: Callable[[str], None], evil: str
) -> None:
    page = store_page(
        StoreContents(
            experiences=(make_experience(evil),), versions=(version(5, f"task of {evil}"),)
        )
    )
    check_page(page)
    for shown in (
        "<dt>within the time limit</dt><dd>1 of 1</dd>",
        "<dt>mean error of the predicted accuracy</dt><dd>0.128</dd>",
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
    experiences = (make_experience("a"), make_experience("b"))
    page = store_page(StoreContents(experiences=experiences, versions=(version(5, "task of a"),)))
    assert ">4 → 5<" in page
    assert ">4, not learned yet<" in page


def test_a_task_of_the_papers_method_is_learned_by_its_predictor(
    make_experience: Callable[..., Experience],
) -> None:
    experience = make_experience("a")
    by_paper = dataclasses.replace(
        experience, task=dataclasses.replace(experience.task, method="paper")
    )
    page = store_page(
        StoreContents(
            experiences=(by_paper, make_experience("b")),
            versions=(version(5, "task of a"), version(6, "task of b")),
            paper_versions=(version(9, "task of a", "task of b"),),
        )
    )
    assert ">paper 4 → 9<" in page
    assert ">4 → 6<" in page


def test_it_claims_nothing_where_it_is_not_known_who_learned(
    make_experience: Callable[..., Experience],
) -> None:
    page = store_page(StoreContents(experiences=(make_experience(),), versions=(version(5),)))
    assert ">version 4</td>" in page
    assert "not learned" not in page


def test_it_counts_passed_limits(make_experience: Callable[..., Experience]) -> None:
    late = dataclasses.replace(make_experience("late"), elapsed_s=20.5)
    page = store_page(StoreContents(experiences=(make_experience(), late)))
    assert "<dt>within the time limit</dt><dd>1 of 2</dd>" in page
    assert "1 of 2 took longer than the limit" in page
    assert "20.5 of 20 s (over the limit)" in page
    assert "No version of the predictor can be read" in page


def test_versions_are_shown_without_fine_tunes_and_not_without_end() -> None:
    page = store_page(StoreContents(versions=tuple(version(i) for i in range(1, 151))))
    assert "newest 100 of 150 versions" in page
    assert page.count("2026-02-03 04:05") == 100


def test_it_tells_of_runs_that_failed(check_page: Callable[[str], None], evil: str) -> None:
    failures = tuple(
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
    )
    page = store_page(StoreContents(failures=failures))
    check_page(page)
    assert sections(page) == ["Failed runs"]
    assert "The newest 100 of 101." in page
    assert ">data-0</td>" not in page
    assert page.count("the pod was evicted") == 100


@pytest.mark.slow
def test_ten_thousand_records_make_a_page_of_bounded_size(
    make_contents: Callable[..., StoreContents],
    make_search: Callable[..., SearchResults],
    check_page: Callable[[str], None],
) -> None:
    contents = dataclasses.replace(
        make_contents(count=10_000), searches=(make_search("long", 250),) * 9
    )
    page = store_page(contents)
    check_page(page)
    assert "<dd>10000</dd>" in page
    assert "The newest 500 of 10000 fine-tunes." in page
    assert "The newest 8 of 9 searches." in page
    # All records would take four times as much.
    assert len(page.encode()) < 1_800_000
