"""Step times: what is measured, in which order, and the comparison with the paper."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.paper_tables import NETWORKS as PAPER
from benchmarks.step_time import main, measure, parse, rank_correlation, summarise, turns
from benchmarks.step_time_networks import NETWORKS
from benchmarks.step_time_page import PLOTS, section
from benchmarks.step_time_plots import plots
from nasoa.zoo import torchvision_models
from nasoa.zoo.library import IMAGENET, Pretraining

NAMES = ("ET-NAS-A", "ET-NAS-C", "ET-NAS-G", "RegNetY-16GF", "RegNetY-800MF")


def rows(scale: float = 2.0) -> list[dict[str, Any]]:
    """Two repeats, whose medians are the paper's figures times a scale."""
    found = []
    for repeat, name in ((repeat, name) for repeat in (0, 1) for name in NAMES):
        paper = PAPER.get(name, PAPER["RegNetY-400MF"])
        off = 0.9 + 0.2 * repeat
        found.append(
            {
                "network": name,
                "repeat": repeat,
                "resolution": 224,
                "num_params": 10,
                "train_step_s": off * scale * paper.train_step_ms / 1000,
                "inference_s": off * scale * paper.inference_ms / 1000,
                "memory_bytes": 1e6 * (paper.memory_mb or 1.0),
                "train_format": "float32",
                "inference_format": "float32",
                "code_version": "v",
            }
        )
    return found


def result() -> dict[str, Any]:
    machine = {"cpu": "a CPU", "cores": 2}
    settings = {"machine": machine, "threads": 1, "batch_size": 4, "number_format": "package"}
    return {**settings, "repeats": 2, **summarise(rows(), "ET-NAS-C")}


@pytest.fixture(autouse=True)
def no_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accuracy of torchvision's weights, without its import, which takes seconds."""

    def described(name: str, weights: str) -> Pretraining:
        assert (name, weights) == ("regnet_y_800mf", "IMAGENET1K_V1")
        return Pretraining(
            name=name,
            resolution=224,
            mean=(0.5, 0.5, 0.5),
            std=(0.2, 0.2, 0.2),
            source=IMAGENET,
            accuracy=0.7642,
        )

    monkeypatch.setattr(torchvision_models, "pretraining", described)


def test_networks_are_the_zoo_and_its_peers() -> None:
    assert [name for name, network in NETWORKS.items() if network.is_own] == [
        f"ET-NAS-{letter}" for letter in "ABCDEFGHIJKL"
    ]
    assert NETWORKS["RegNetY-16GF"].top1() == (80.4, "the paper")
    assert NETWORKS["RegNetY-800MF"].top1() == (76.42, "torchvision IMAGENET1K_V1")


def test_networks_take_turns() -> None:
    asked = parse(["--networks", "ET-NAS-C", "EfficientNet-B3", "--repeats", "2"])
    keys = [(key["repeat"], key["network"], key["resolution"]) for key in turns(asked)]
    once = [("ET-NAS-C", 224), ("EfficientNet-B3", 300)]
    assert keys == [(repeat, *network) for repeat in (0, 1) for network in once]
    asked = parse(["--resolution", "64", "--repeats", "1"])
    assert {key["resolution"] for key in turns(asked)} == {64}


@pytest.mark.usefixtures("one_core")
def test_a_network_is_measured() -> None:
    found = measure(NETWORKS["ET-NAS-A"], 32, 2, "float32", 1)
    assert 0.0 < found["inference_s"] < found["train_step_s"] < 10.0
    assert found["num_params"] == pytest.approx(2.6e6, rel=0.02)
    assert found["memory_bytes"] >= 0
    assert (found["train_format"], found["inference_format"]) == ("float32", "float32")


def test_peak_memory_is_that_of_the_process() -> None:
    """Not that of the process that started it, which may be larger."""
    code = (
        "from benchmarks.peak_memory import peak_bytes\n"
        "before = peak_bytes(); held = b'x' * 50_000_000; after = peak_bytes()\n"
        "del held; print(before, after, peak_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    before, after, later = map(int, done.stdout.split())
    assert before < 50e6
    assert 50e6 <= after - before < 60e6
    assert later > after - 1e6


def test_ratios_and_ranks_are_compared_with_the_paper() -> None:
    found = result()
    by_name = {own["name"]: own for own in found["networks"]}
    step = by_name["ET-NAS-G"]["train_step_ms"]
    assert step["median"] == pytest.approx(2 * 133.97, rel=1e-3)
    assert step["least"] == pytest.approx(0.9 * 2 * 133.97, rel=1e-3)
    times = by_name["ET-NAS-G"]["times_reference"]["train_step_ms"]
    assert times == {"ours": pytest.approx(5.098, rel=1e-3), "paper": 5.098}
    # The paper has no RegNetY-800MF, and no memory of ET-NAS-A.
    assert by_name["RegNetY-800MF"]["times_reference"]["train_step_ms"]["paper"] is None
    assert found["rank_correlation"]["train_step_ms"] == {"networks": 4, "spearman": 1.0}
    assert found["rank_correlation"]["memory_mb"] == {"networks": 3, "spearman": 1.0}
    (claim,) = found["claims"]
    assert (claim["slower"], claim["faster"]) == ("RegNetY-16GF", "ET-NAS-G")
    assert claim["ours"] == pytest.approx(claim["paper"], rel=1e-3)
    assert claim["paper"] == 5.058
    assert found["fronts"]["train_step_ms"] == ["ET-NAS-A", "ET-NAS-C", "RegNetY-800MF", "ET-NAS-G"]


def test_ranks_of_few_networks_or_in_another_order() -> None:
    ours = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert rank_correlation(ours, {"a": 1.0, "b": 2.0}) == {"networks": 2, "spearman": None}
    theirs = {"c": 1.0, "b": 2.0, "a": 3.0}
    assert rank_correlation(ours, theirs) == {"networks": 3, "spearman": -1.0}


def test_the_page_and_its_plots() -> None:
    found = result()
    text = section(found)
    assert "| ET-NAS-G | 224 | 80.41 | paper | 267.9 | 5.10 | 5.10 | 134 |" in text
    assert "| RegNetY-800MF | 224 | 76.42 | torchvision | 181.2 | 3.45 |  |  |" in text
    assert "RegNetY-16GF takes 5.06 times the training step of ET-NAS-G" in text
    drawn = plots(found)
    assert list(drawn) == list(PLOTS)
    for file, svg in drawn.items():
        assert f"]({file})" in text
        marks = [e.get("class") for e in ET.fromstring(svg).iter()]
        assert (marks.count("best"), marks.count("other")) == (3, 2)


def test_wrong_arguments_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--report", "--runs", str(tmp_path / "none.jsonl")]) == 2
    assert "leave out --report" in capsys.readouterr().err
    for arguments in (["--batch-size", "0"], ["--networks", "ET-NAS-A"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert capsys.readouterr().err.strip().splitlines()[-1].count("expected") == 1
