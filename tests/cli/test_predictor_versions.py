"""`nasoa predictor show`, `update`, `rollback`, `rebuild`, `learn`, and `nasoa store compact`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nasoa.cli import main
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.store import experience_log, keys, open_store, snapshots
from tests.store.collections import collect, own_records, some_packaged
from tests.store.finished import finish

Run = Callable[..., str]
Refused = Callable[..., str]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def run(uri: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line on the store, and gives standard output."""

    def run_it(*arguments: str) -> str:
        assert main([*arguments, "--store", uri]) == 0
        return capsys.readouterr().out

    return run_it


@pytest.fixture
def refused(uri: str, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Return a function that gives the line with which a command line is refused."""

    def run_it(*arguments: str) -> str:
        assert main([*arguments, "--store", uri]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("nasoa: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run_it


@pytest.fixture
def learned(uri: str, run: Run) -> None:
    """A store with version 1, and three more of one task each."""
    for task_id in ("t1", "t2", "t3"):
        finish(open_store(uri), task_id)
        run("predictor", "update")


@pytest.mark.usefixtures("learned")
def test_show(run: Run, tmp_path: Path) -> None:
    text = run("predictor", "show")
    header, *lines = text.splitlines()
    assert header.split()[:4] == ["version", "made", "by", "tasks"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert "comes with nasoa" in lines[0]
    assert "update of version 3" in lines[3]
    rows = json.loads(run("predictor", "show", "--json"))
    assert [row["new"] for row in rows] == [[], ["t1"], ["t2"], ["t3"]]
    assert json.loads(run("predictor", "show", "--json", "--last", "1")) == rows[3:]
    assert json.loads(run("predictor", "show", "--json", "--version", "3")) == rows[2]
    one = run("predictor", "show", "--version", "3")
    assert f"t2        {rows[2]['errors'][0]:+.4f}" in one
    assert "expert" in one
    page = tmp_path / "page.html"
    assert json.loads(run("predictor", "show", "--json", "-o", str(page))) == rows
    assert "4 versions; the newest, 4, has learned 3 tasks." in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("learned")
def test_rollback_update_and_rebuild(run: Run) -> None:
    assert "nothing new" in run("predictor", "update")
    text = run("predictor", "rollback", "2")
    assert text == "Version 5 equals version 2. 2 experiences are left out; updates skip them.\n"
    assert "nothing new" in run("predictor", "update")
    assert run("predictor", "update", "--relearn") == "Version 6 learned 2 experiences.\n"
    document = json.loads(run("predictor", "rollback", "3", "--relearn", "--json"))
    assert (document["version"], document["parent"], document["left_out"]) == (7, 3, [])
    assert document["num_learned"] == 2
    document = json.loads(run("predictor", "update", "--json"))
    assert document == {"version_before": 7, "version_after": 8, "learned": ["t3"]}
    text = run("predictor", "rebuild", "--without", "t2", "t1")
    assert text.startswith("Version 9 learned 1 experience again. 2 experiences are left")
    document = json.loads(
        run("predictor", "rebuild", "--without", "t2", "--without", "t3", "--json")
    )
    assert (document["new"], document["left_out"]) == (["t1"], ["t2", "t3"])
    assert run("predictor", "rebuild").endswith("3 experiences again. Nothing is left out.\n")
    shown = run("predictor", "show")
    assert "rollback to version 3" in shown
    assert "rebuild from the log" in shown


def test_each_method_has_versions_of_its_own(run: Run, refused: Refused, uri: str) -> None:
    (starter,) = json.loads(run("predictor", "show", "--method", "paper", "--json"))
    assert (starter["version"], starter["kind"], starter["num_learned"]) == (1, "starter", 0)
    for task_id in ("t1", "t2"):
        finish(open_store(uri), task_id)
        assert run("predictor", "update", "--method", "paper").endswith("learned 1 experience.\n")
    rows = json.loads(run("predictor", "show", "--method", "paper", "--json"))
    assert [row["new"] for row in rows] == [[], ["t1"], ["t2"]]
    one = run("predictor", "show", "--method", "paper", "--version", "2")
    assert f"t1        {rows[1]['errors'][0]:+.4f}" in one
    assert run("predictor", "rollback", "2", "--method", "paper").startswith("Version 4 equals")
    assert "got 9: the versions are 1 to 4" in refused(
        "predictor", "rollback", "9", "--method", "paper"
    )
    text = run("predictor", "rebuild", "--method", "paper", "--without", "t1")
    assert text.startswith("Version 5 learned 1 experience again. 1 experience is left out")
    # The default method's predictor has learned nothing so far; its versions are apart.
    (own,) = json.loads(run("predictor", "show", "--json"))
    assert (own["version"], own["kind"]) == (1, "starter")
    assert own["weights"] != starter["weights"]
    assert run("predictor", "update") == "Version 2 learned 2 experiences.\n"
    assert len(json.loads(run("predictor", "show", "--json"))) == 2
    assert len(json.loads(run("predictor", "show", "--method", "paper", "--json"))) == 5
    assert "did you mean paper?" in refused("predictor", "show", "--method", "papers")


@pytest.mark.usefixtures("learned")
def test_what_cannot_be_asked_for(refused: Refused, uri: str) -> None:
    assert "got 9: the versions are 1 to 4" in refused("predictor", "show", "--version", "9")
    assert "got 9: the versions are 1 to 4" in refused("predictor", "rollback", "9")
    assert "nothing to roll back" in refused("predictor", "rollback", "4")
    assert "invalid int value: 'one'" in refused("predictor", "rollback", "one")
    assert "no task 't7': did you mean" in refused("predictor", "rebuild", "--without", "t7")
    assert "at least 1, got 0" in refused("predictor", "show", "--last", "0")
    assert "--version alone" in refused("predictor", "show", "--version", "1", "--last", "2")
    assert "can be written" in refused("predictor", "show", "-o", "/none/page.html")
    assert "at least 1 experience" in refused("store", "compact", "--block-size", "0")
    assert snapshots.versions(open_store(uri), PREDICTOR_NAME) == [1, 2, 3, 4]


def test_a_store_without_a_log(refused: Refused, run: Run, uri: str) -> None:
    assert "no version yet" in refused("predictor", "rollback", "1")
    assert "no version yet" in refused("predictor", "show", "--version", "2")
    assert "comes with nasoa" in run("predictor", "show", "--version", "1")
    assert "has none to learn from" in refused("predictor", "rebuild")
    assert "comes with nasoa" in run("predictor", "show")
    assert "nothing new" in run("predictor", "update")
    (first,) = json.loads(run("predictor", "show", "--json"))
    assert (first["version"], first["kind"], first["num_learned"]) == (1, "starter", 0)
    done = json.loads(run("store", "compact", "--json"))
    assert not any(done.values()), done
    assert not Path(uri).exists()


@pytest.mark.usefixtures("learned")
def test_a_corrupt_version_is_named(
    run: Run, refused: Refused, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(uri).put(keys.predictor(PREDICTOR_NAME, 4, "safetensors"), b"")
    rows = json.loads(run("predictor", "show", "--json"))
    assert [row["version"] for row in rows] == [1, 2, 3]
    assert "v000004.safetensors" in caplog.text
    assert "version 4 cannot be used" in refused("predictor", "show", "--version", "4")
    assert run("predictor", "update") == "Version 5 learned 1 experience.\n"
    for version in (1, 2, 3, 5):
        open_store(uri).put(keys.predictor(PREDICTOR_NAME, version, "safetensors"), b"")
    assert "No version can be read. The next update" in run("predictor", "show")
    assert run("predictor", "update") == "Version 6 learned 3 experiences.\n"


def test_a_predictor_of_another_layout_is_named(
    run: Run, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    finish(store, "t1")
    store.put(keys.predictor("adaptive-mlp-of-old", 1, "safetensors"), b"of old")
    assert "adaptive-mlp-of-old has another feature layout" in run("predictor", "show")
    assert run("predictor", "update") == "Version 2 learned 1 experience.\n"
    assert "'adaptive-mlp-of-old' has another feature layout" in caplog.text


@pytest.mark.usefixtures("learned")
def test_compact(run: Run, uri: str) -> None:
    text = run("store", "compact", "--block-size", "2")
    assert text == "Packed 2 experiences into 1 block; 1 left loose.\n"
    assert experience_log.loose_ids(open_store(uri)) == ["t3"]
    assert "nothing new" in run("predictor", "update")
    assert "3 experiences again" in run("predictor", "rebuild")


def test_learn(
    run: Run, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nasoa.steps.learn_collections.collected_runs", some_packaged)
    store = open_store(uri)
    collect(store, "known", own_records())
    finish(store, "t1")
    run("predictor", "update")
    assert main(["predictor", "learn", "known", "--store", uri]) == 0
    told = capsys.readouterr()
    assert told.err == "learning 24 records; thousands take minutes\n"
    assert told.out == (
        "Version 3 starts from 8 records of known and 16 that come with nasoa. "
        "It learned 1 experience again.\n"
    )
    assert run("predictor", "update") == "There is nothing new to learn.\n"
    document = json.loads(run("predictor", "learn", "known", "--json"))
    assert (document["collections"], document["records"]) == (["known"], 8)
    assert document["key"] == keys.starter(PREDICTOR_NAME, 2)
    assert "rebuild from the log" in run("predictor", "show", "--version", "4")


def test_a_collection_is_learned_where_it_ends(
    run: Run, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasoa.steps.learn_collections.collected_runs", some_packaged)
    collect(open_store(uri), "known", own_records())
    asked = ("meta-train", "x.zip", "--runs", "8")  # all of them exist
    assert "learned" not in json.loads(run(*asked, "--json"))
    assert "comes with nasoa" in run("predictor", "show")
    assert "Version 1 starts from 8 records of known and 16 that" in run(*asked, "--learn")
    assert "learned collections" in run("predictor", "show")
    assert json.loads(run(*asked, "--learn", "--json"))["learned"]["version"] == 1


def test_collections_that_cannot_be_learned(
    refused: Refused, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unknown collection 'known': there are none yet" in refused(
        "predictor", "learn", "known"
    )
    store = open_store(uri)
    store.put(keys.collected_run("empty", 0), b"[]")
    assert "'empy': did you mean empty?" in refused("predictor", "learn", "empy")
    assert "no run of 'empty' had a result" in refused("predictor", "learn", "empty")
    assert "expected a name of letters" in refused("predictor", "learn", "a/b")
    assert "required: NAME" in refused("predictor", "learn")
    key = keys.starter(PREDICTOR_NAME, 1)
    store.put(key, b"cut")
    assert main(["predictor", "show", "--store", uri]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"nasoa: object '{key}' cannot be read: ")
    assert told.endswith("; make another with nasoa predictor learn, or delete it\n")
    assert told.count("\n") == 1
