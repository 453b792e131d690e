"""`nasoa zoo build` by several processes, as torchrun starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nasoa.cli import main
from nasoa.config import EvaluateConfig
from nasoa.data import write_shards
from nasoa.offline.epoch_log import from_json_lines
from nasoa.offline.search import SearchConfig, architecture_hash
from nasoa.offline.space import BlockSpace
from nasoa.records import to_json
from nasoa.steps import searches
from nasoa.steps.zoo import load_zoo
from nasoa.store import keys, open_store
from tests.evaluations import evaluation

ENCODING = "020- 8 1-2-1-2"
TORCHRUN = (sys.executable, "-m", "nasoa.training.torchrun", "--nproc-per-node=2")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with a search that has evaluated one tiny network."""
    from nasoa.arch import parse

    uri = str(tmp_path / "store")
    config = SearchConfig(
        block=BlockSpace(stages=((1,), (2,), (1,), (2,)), first_channels=(8,)),
        data="images.zip",
        evaluate=EvaluateConfig.small(),
        num_children=1,
    )
    searches.open_search(uri, "tiny", config)
    key = keys.evaluation("tiny", architecture_hash(parse(ENCODING)))
    open_store(uri).put(key, to_json(evaluation(ENCODING, 1.0, 0.5)))
    return uri


def test_a_model_that_is_there_keeps_its_recipe(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another one is refused in one line that names another zoo, and begins anew there."""
    data = "sklearn:digits:classes=0,1,2:per_class=40"
    build = ["zoo", "build", "--search", "tiny", "--models", "1", "--data", data, "--store", store]
    build += ["--resolution", "32", "--json", "--epochs"]
    assert main([*build, "1"]) == 0
    (first,) = json.loads(capsys.readouterr().out)
    assert main([*build, "1"]) == 0
    assert json.loads(capsys.readouterr().out) == [first]
    assert main([*build, "2"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert f"{first['name']} in the zoo 'searched'" in told.err
    assert "--zoo searched-2" in told.err
    assert main([*build, "2", "--zoo", "searched-2"]) == 0
    (second,) = json.loads(capsys.readouterr().out)
    assert second["recipe"] != first["recipe"]
    # Each has the metrics of its own epochs.
    assert len(open_store(store).list("pretraining/")) == 2


def test_a_pretraining_that_diverges_adds_nothing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "sklearn:digits:classes=0,1,2:per_class=100"
    build = ["zoo", "build", "--search", "tiny", "--models", "1", "--data", data, "--store", store]
    assert main([*build, "--resolution", "32", "--epochs", "9", "--lr", "1e30"]) == 1
    told = capsys.readouterr().err
    assert "finite loss" in told
    assert "lower --lr" in told
    assert "Traceback" not in told
    assert not open_store(store).list("zoo/")


@pytest.mark.slow
def test_two_processes_make_one_entry_out_of_shards(store: str, tmp_path: Path) -> None:
    data = "sklearn:digits:classes=0,1,2:per_class=100"
    write_shards(data, tmp_path / "digits", images_per_shard=100)
    verb = ("-m", "nasoa", "zoo", "build", "--search", "tiny", "--models", "1", "--json")
    given = ("--data", f"shards:{tmp_path}/digits", "--epochs", "2", "--store", store)
    done = subprocess.run(
        [*TORCHRUN, *verb, *given],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert (entry["encoding"], entry["source"], entry["num_classes"]) == (ENCODING, "digits", 3)
    opened = open_store(store)
    assert [key for key in opened.list("zoo/") if key.endswith("zoo.json")] == [
        "zoo/searched/v0001/zoo.json"
    ]
    assert load_zoo(opened).weights(entry["name"])
    # Only the epoch metrics of the pretraining remain; the first process prints them.
    (key,) = opened.list("pretraining/")
    epochs = from_json_lines(opened.get(key), key)
    assert [epoch.epoch for epoch in epochs] == sorted(epoch.epoch for epoch in epochs)
    for epoch in epochs:
        assert epoch.train_loss > 0
        assert epoch.images_per_s > 0
        assert 0 < epoch.lr <= 0.2
        line = f"epoch {epoch.epoch:g}: loss {epoch.train_loss:.3f}, validation accuracy"
        assert done.stderr.count(line) == 1
    assert epochs[-1].lr < epochs[0].lr
    assert done.stderr.count(f"{entry['name']} {ENCODING}: accuracy") == 1
