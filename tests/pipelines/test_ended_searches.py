"""`pipeline reconcile` pauses the schedules of searches that have ended, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nasoa.arch import parse
from nasoa.errors import InvalidInput
from nasoa.offline.search import StopCriterion, architecture_hash
from nasoa.records import to_json
from nasoa.steps import searches
from nasoa.steps.nsga_select import reason_of_end, select_generation
from nasoa.steps.search_settings import read_settings
from nasoa.store import keys, open_store
from tests.evaluations import evaluation
from tests.pipelines.conftest import Run
from tests.pipelines.kfp_server import KfpServer

BUDGET = 2
WHEN = ("--cron", "0 * * * *")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return a store with the search `blocks`, whose budget of two evaluations is used up."""
    uri = str(tmp_path / "store")
    config = searches.configure(uri, space="block", data="s3://b/proxy", num_children=BUDGET)
    searches.open_search(uri, "blocks", config)
    chosen = select_generation(uri, "blocks", StopCriterion(max_evaluations=BUDGET))
    assert len(chosen.architectures) == BUDGET
    for text in chosen.architectures:
        evaluate(uri, text)
    return uri


def evaluate(uri: str, text: str) -> None:
    key = keys.evaluation("blocks", architecture_hash(parse(text)))
    open_store(uri).put(key, to_json(evaluation(text, 1.0, 0.5)))


def schedule(run: Run, host: str, name: str, *parameters: str, pipeline: str = "") -> None:
    given = [word for text in parameters for word in ("-p", text)]
    result = run(
        "pipeline", "schedule", pipeline or "search-generation", "--host", host, "--as", name,
        *WHEN, *given,
    )  # fmt: skip
    assert result.code == 0, result.err


def reconciled(run: Run, host: str, store: str) -> Any:
    result = run("pipeline", "reconcile", "--host", host, "--store", store, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)["paused"]


def settings(max_evaluations: int) -> str:
    return f"settings={json.dumps({'max_evaluations': max_evaluations})}"


@pytest.mark.slow
def test_only_what_has_ended_is_paused(run: Run, host: str, kfp: KfpServer, store: str) -> None:
    ours = ("data=s3://b/proxy", f"store={store}")
    schedule(run, host, "ended", *ours, settings(BUDGET))
    schedule(run, host, "larger", *ours, settings(BUDGET + 1))
    schedule(run, host, "default", *ours)  # 400 evaluations
    schedule(run, host, "not-begun", *ours, settings(1), "search=other")
    schedule(run, host, "elsewhere", ours[0], "store=/mnt/other", settings(BUDGET))
    schedule(run, host, "task", *ours, pipeline="finetune-task")
    schedule(run, host, "odd", *ours, "settings=[]", "search=blocks")
    others = [name for name in names(kfp) if name != "ended"]

    (paused,) = reconciled(run, host, store)
    assert (paused["name"], paused["change"], paused["enabled"]) == ("ended", "paused", False)
    assert kfp.firing("ended") == []
    assert sorted(others) == sorted(name for name in names(kfp) if kfp.firing(name))
    assert reconciled(run, host, store) == []

    # A larger budget lets it fire again, and it stays so.
    schedule(run, host, "ended", *ours, settings(BUDGET + 5))
    assert reconciled(run, host, store) == []
    assert len(kfp.firing("ended")) == 1


def names(kfp: KfpServer) -> list[str]:
    return [job["display_name"] for job in kfp.recurring_runs.values()]


@pytest.mark.parametrize("with_platform", [True, False])
def test_defaults_are_those_of_the_version_that_is_scheduled(
    run: Run, host: str, kfp: KfpServer, store: str, with_platform: bool
) -> None:
    """The defaults that a site compiled in count, not those of the caller."""
    schedule(run, host, "blocks", "data=s3://b/proxy", f"store={store}")
    for version in kfp.versions.values():
        spec = version["pipeline_spec"]
        inputs = spec["root"]["inputDefinitions"]["parameters"]
        inputs["settings"]["defaultValue"] = json.dumps({"max_evaluations": BUDGET})
        if with_platform:
            version["pipeline_spec"] = {"pipeline_spec": spec, "platform_spec": {}}
    (paused,) = reconciled(run, host, store)
    assert paused["name"] == "blocks"


def test_it_is_said_in_words(run: Run, host: str, kfp: KfpServer, store: str) -> None:
    schedule(run, host, "blocks", "data=s3://b/proxy", f"store={store}", settings(BUDGET))
    said = run("pipeline", "reconcile", "--host", host, "--store", store)
    assert said.out.rstrip().endswith("blocks paused: its search has ended")


def test_asking_whether_it_has_ended_writes_nothing(store: str) -> None:
    opened = open_store(store)
    before = opened.list()
    assert "used up" in reason_of_end(store, "blocks", StopCriterion(max_evaluations=BUDGET))
    assert reason_of_end(store, "blocks", StopCriterion(max_evaluations=BUDGET + 1)) == ""
    assert reason_of_end(store, "other", StopCriterion(max_evaluations=1)) == ""
    assert opened.list() == before


def test_a_generation_that_is_open_has_not_ended(store: str) -> None:
    opened = open_store(store)
    (key, *_) = opened.list(keys.evaluations("blocks"))
    opened.delete(key)
    assert reason_of_end(store, "blocks", StopCriterion(max_evaluations=BUDGET)) == ""


def test_settings_are_a_criterion_and_the_rest() -> None:
    stop, rest = read_settings('{"max_evaluations": 7, "patience": 2, "ranges": {"a": [1, [2]]}}')
    assert stop == StopCriterion(max_evaluations=7, patience=2)
    assert rest == {"ranges": {"a": (1, (2,))}}
    assert read_settings("") == (StopCriterion(), {})
    for wrong in ("[]", "{", '{"max_evaluations": 0}'):
        with pytest.raises(InvalidInput):
            read_settings(wrong)
