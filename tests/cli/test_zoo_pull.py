"""`nasoa zoo pull`, with random weights in files that are named as torchvision does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models
from torchvision.models import MobileNet_V3_Large_Weights, MobileNet_V3_Small_Weights

from nasoa.cli import main
from nasoa.steps.zoo import load_zoo
from nasoa.store import keys, open_store

SMALL, LARGE = "mobilenet_v3_small-IMAGENET1K_V1", "mobilenet_v3_large-IMAGENET1K_V2"
WEIGHTS = {
    "mobilenet_v3_small": MobileNet_V3_Small_Weights.DEFAULT,
    "mobilenet_v3_large": MobileNet_V3_Large_Weights.DEFAULT,
}
ZOO = "zoo/torchvision-mobilenet_v3_small"
PULL = ("zoo", "pull", "--series", "mobilenetv3")

Publish = Callable[[str], Path]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Return a function that makes a model's weights available in a file; none are before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for name, weights in WEIGHTS.items():
        url = (tmp_path / "none" / f"{name}-00000000.pth").as_uri()
        monkeypatch.setattr(weights.value, "url", url)

    def publish_it(name: str) -> Path:
        file = tmp_path / "new.pth"
        torch.save(models.get_model(name, weights=None).state_dict(), file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        named = file.rename(tmp_path / f"{name}-{digest[:8]}.pth")
        monkeypatch.setattr(WEIGHTS[name].value, "url", named.as_uri())
        return named

    return publish_it


def pull(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """Return exit code, JSON document and standard error."""
    code = main([*PULL, "--json", *arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out), captured.err


def test_what_can_be_had_is_added_and_the_rest_later(
    publish: Publish, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = publish("mobilenet_v3_small")
    to = str(tmp_path / "far")
    code, results, told = pull(capsys, "--to", to)
    assert code == 1
    assert [(r["model"], r["status"]) for r in results] == [
        (SMALL, "added"),
        ("mobilenet_v3_large", "failed"),
    ]
    assert "2.5 Mparam" in results[0]["detail"]
    assert "cannot be downloaded" in results[1]["detail"]
    assert told.startswith("nasoa: 1 of 2 models could not be added: mobilenet_v3_large; ")
    assert told.count("\n") == 1
    assert not Path(".nasoa").exists()

    store = open_store(to)
    written = {key: store.get(key) for key in store.list("zoo/")}
    assert len(written) == 2
    # Models in the store are neither downloaded nor read again.
    source.unlink()
    (tmp_path / "torch" / "hub" / "checkpoints" / source.name).unlink()
    publish("mobilenet_v3_large")
    code, results, told = pull(capsys, "--to", to)
    assert (code, told) == (0, "")
    assert [(r["model"], r["status"]) for r in results] == [(SMALL, "present"), (LARGE, "added")]
    assert {key: store.get(key) for key in written} == written
    assert len(store.list("zoo/")) == 4
    zoo = load_zoo(store)
    assert {SMALL, LARGE} <= set(zoo.entries)
    assert zoo.entry(LARGE).builder == "torchvision:mobilenet_v3_large"
    assert f"{ZOO}/v0001/zoo.json" in written
    assert zoo.weights(SMALL) == written[keys.weights(zoo.entry(SMALL).weights_sha256)]


def test_a_damaged_file_is_told_and_the_others_are_added(
    publish: Publish, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = publish("mobilenet_v3_small")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    publish("mobilenet_v3_large")
    code = main([*PULL, "--store", "here"])
    captured = capsys.readouterr()
    assert code == 1
    first, second = captured.out.splitlines()
    assert first.split()[:2] == ["mobilenet_v3_small", "failed"]
    assert "invalid hash value" in first
    assert second.split()[:2] == [LARGE, "added"]
    assert set(load_zoo(open_store("here")).entries) >= {LARGE}


def test_a_model_that_a_user_added_counts(
    publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    publish("mobilenet_v3_small")
    assert pull(capsys)[0] == 1
    add = ["zoo", "add", "torchvision:mobilenet_v3_small", "--resolution", "64"]
    assert main(add) == 0
    assert load_zoo(open_store(".nasoa")).entry(SMALL).resolution == 64


def test_mistakes_are_refused_in_one_line(
    publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    publish("mobilenet_v3_small")
    Path("file").touch()
    for arguments, message in (
        (["--series", "mobilnetv3"], "unknown series 'mobilnetv3': did you mean mobilenetv3?"),
        (["--series", ""], "expected series like"),
        (["--to", "ftp://x"], "expected a store like"),
        (["--to", "file"], "expected the store file to be a folder"),
        (["--to", "file/below"], "cannot be written"),
    ):
        assert main([*PULL, *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert message in captured.err
        assert captured.err.count("\n") == 1
