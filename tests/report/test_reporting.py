"""What the report reads from a store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nasoa.records import Candidate, Experience, Outcome, Recommendation, to_json, to_sealed_json
from nasoa.report.contents import SearchResults
from nasoa.steps.reporting import REFERENCE, contents, store_report
from nasoa.store import experience_log, keys
from nasoa.store.local import LocalStore
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.step_times import reference_rows


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_an_empty_store_has_the_packaged_zoo_and_the_starter(store: LocalStore) -> None:
    found = contents(store)
    assert {model.name for model in found.models} == set(packaged_zoo().entries)
    assert found.hardware == REFERENCE
    assert [version.kind for version in found.versions] == ["starter"]
    assert found.paper_versions == found.experiences == found.searches == ()
    by_name = {model.name: model for model in found.models}
    (row,) = [
        r
        for r in reference_rows()
        if (r.model, r.resolution, r.batch_size, r.frozen_stages) == ("ET-NAS-A", 64, 64, -1)
    ]
    assert by_name["ET-NAS-A"].is_measured
    assert by_name["ET-NAS-A"].step_ms == pytest.approx(1000 * row.step_s)
    assert not by_name["efficientnet-lite0"].is_measured  # no batch of 64 at 224 px


def test_intervals_and_outcomes_belong_to_their_tasks(
    store: LocalStore, make_experience: Callable[..., Experience], candidate: Candidate
) -> None:
    for i, name in enumerate("ab"):
        e = make_experience(name)
        task = replace(e.task, task_id=f"2026010{i}T000000-{name}")
        experience_log.append(store, replace(e, task=task))
    recommendation = Recommendation(
        candidates=(candidate,),
        predictor_version=1,
        num_experiences=0,
        note="",
        used_s=1.0,
        reserve_s=1.0,
    )
    store.put(keys.recommendation("20260101T000000-b"), to_sealed_json(recommendation))
    outcome = Outcome(
        task_id="20260103T000000-c",
        reason="DataError",
        elapsed_s=1.0,
        time_limit_s=20.0,
        durations_s={"describe": 1.0},
        store_retries=0,
        created_at="",
        code_version="0",
    )
    store.put(keys.outcome(outcome.task_id), to_json(outcome))
    found = contents(store)
    assert found.intervals == {"20260101T000000-b": candidate.interval}
    assert found.outcomes == (outcome,)
    assert "DataError (1)" in store_report(store)


def test_step_times_of_the_tasks_hardware_are_used(
    store: LocalStore, make_experience: Callable[..., Experience]
) -> None:
    e = make_experience()
    experience_log.append(store, replace(e, task=replace(e.task, task_id="a", hardware="cpu-b")))
    (row,) = [
        r
        for r in reference_rows()
        if (r.model, r.resolution, r.batch_size, r.frozen_stages) == ("ET-NAS-A", 64, 64, -1)
    ]
    for hardware, factor in (("cpu-a", 2), ("cpu-b", 3)):
        timed = replace(row, hardware=hardware, batch_size=32, step_s=factor * row.step_s)
        store.put(keys.step_time(hardware, "ET-NAS-A", 64, 32, -1), to_sealed_json(timed))
    found = contents(store)
    assert found.hardware == "cpu-b"
    (model,) = [model for model in found.models if model.is_measured]
    assert (model.name, model.batch_size) == ("ET-NAS-A", 32)
    assert model.step_ms == pytest.approx(3000 * row.step_s)


def test_a_damaged_search_is_left_out(
    store: LocalStore,
    make_search: Callable[..., SearchResults],
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = make_search("good")
    for name in ("good", "bad"):
        store.put(keys.search_config(name), to_json(made.config))
        for number, generation in enumerate(made.generations, start=1):
            store.put(keys.generation(name, number), to_json(generation))
        for i, evaluation in enumerate(made.evaluations.values()):
            store.put(keys.evaluation(name, f"{i}"), to_json(evaluation))
    store.put(keys.generation("bad", 1), b"{")
    with caplog.at_level(logging.WARNING):
        found = contents(store)
    assert [search.name for search in found.searches] == ["good"]
    assert found.searches[0].progress == made.progress
    assert "search/bad/generations/0001.json" in caplog.text
