"""Students are pretrained one after another or in turns, and finished ones are not made again."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.transfer.plan import known_sets
from nasoa.errors import InvalidInput, UnknownName
from nasoa.records import to_json
from nasoa.zoo.entries import packaged_cards
from scripts import teach_package
from scripts.pretrain_starter import Images, Request, add_recipe
from scripts.teach_package import requests, take_turns, unfinished


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a file for each data set."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("tinyimagenet200", *known_sets()):
        (folder / f"{name}.zip").touch()
    return folder


def arguments(data: Path, *students: str, teacher: str = "efficientnet-lite2") -> Any:
    parser = argparse.ArgumentParser()
    add_recipe(parser, teacher=teacher)
    found = parser.parse_args(["--epochs", "3", "--resolution", "96"])
    found.students = list(students)
    found.data, found.hours, found.family = data, 2.0, "ResNet"
    found.work, found.output = data.parent / "work", data.parent / "out"
    return found


def test_students_learn_from_tiny_imagenet_and_the_known_sets(data: Path) -> None:
    narrow = "resnet18-narrow=020- 32 11-21-21-21"
    first, second = requests(arguments(data, "ET-NAS-A", narrow))
    assert Path(first.data).name == "tinyimagenet200.zip"
    assert [Path(path).stem for path in first.unlabelled] == list(known_sets())
    assert (first.name, first.family, first.model) == ("", "", "ET-NAS-A")
    assert (second.name, second.family) == ("resnet18-narrow", "ResNet")
    assert second.model == "020- 32 11-21-21-21"
    assert (first.config.epochs, first.config.resolution, first.limit_s) == (3, 96, 7200.0)
    assert first.config.teacher == "efficientnet-lite2"
    assert len(requests(arguments(data, *teach_package.STUDENTS))) == 6


def test_what_cannot_be_taught_is_refused_before_any_work(data: Path) -> None:
    with pytest.raises(InvalidInput, match="expected --teacher"):
        requests(arguments(data, "ET-NAS-A", teacher=""))
    with pytest.raises(UnknownName, match="ET-NAS"):
        requests(arguments(data, "ET-NAS-Z"))
    with pytest.raises(InvalidInput, match="got ET-NAS-A twice"):
        requests(arguments(data, "ET-NAS-A", "ET-NAS-A"))
    (data / "dtd10.zip").unlink()
    with pytest.raises(InvalidInput, match=r"expected dtd10\.zip in"):
        requests(arguments(data, "ET-NAS-A"))


def test_a_student_is_finished_if_its_card_has_the_same_command(data: Path) -> None:
    first, second = asked = requests(arguments(data, "ET-NAS-A", "ET-NAS-B"))
    assert unfinished(asked) == asked
    first.output.mkdir()
    card = replace(packaged_cards()["ET-NAS-A"], command=first.command)
    (first.output / "ET-NAS-A.json").write_bytes(to_json(card))
    assert unfinished(asked) == [second]
    other = requests(arguments(data, "ET-NAS-A", teacher="efficientnet-lite0"))
    assert unfinished(other) == other


class Turns:
    """A stand-in for pretraining: each student takes a number of turns of a second."""

    def __init__(self, lengths: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.now = 100.0
        self._left = dict(lengths)
        monkeypatch.setattr(teach_package, "pretrain_model", self.pretrain)
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(teach_package, "time", clock)

    def pretrain(self, request: Request, _images: Images, turn_ends_s: float) -> bool:
        self.made.append(request.model)
        taken = min(self._left[request.model], turn_ends_s - self.now)
        self.now += taken
        self._left[request.model] -= int(taken)
        return self._left[request.model] == 0


@pytest.mark.parametrize(
    ("turn_s", "minutes_s", "made", "left"),
    [
        (math.inf, math.inf, "AB", ""),
        (2.0, math.inf, "ABAB", ""),
        (1.0, 4.0, "ABAB", "A"),
        (math.inf, 2.0, "A", "AB"),
    ],
)
def test_students_take_turns_until_the_time_is_over(
    data: Path,
    turn_s: float,
    minutes_s: float,
    made: str,
    left: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = requests(arguments(data, "ET-NAS-A", "ET-NAS-B"))
    turns = Turns({"ET-NAS-A": 4, "ET-NAS-B": 2 if turn_s == 1.0 else 3}, monkeypatch)
    images = Images(None)  # type: ignore[arg-type]
    found = take_turns(asked, images, turn_s, turns.now + minutes_s)
    assert "".join(name[-1] for name in turns.made) == made
    assert "".join(request.model[-1] for request in found) == left


def test_an_end_before_all_are_finished_is_told_and_nothing_is_made_twice(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    computed: list[str] = []

    class Lesson:
        def compute(self) -> None:
            computed.append("features")

    monkeypatch.setattr(teach_package, "use_threads", lambda _threads: None)
    monkeypatch.setattr(Images, "of", lambda _request: Images(None, Lesson()))  # type: ignore[arg-type]
    monkeypatch.setattr(teach_package, "pretrain_model", lambda *_, **__: False)
    output = data.parent / "out"
    command = ["teach_package", "--data", str(data), "--minutes", "0.0001", "--epochs", "3"]
    command += ["--output", str(output), "--students", "ET-NAS-A", "ET-NAS-B"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        teach_package.main()
    assert ended.value.code == teach_package.UNFINISHED
    assert computed == ["features"]
    assert "not finished: ET-NAS-A ET-NAS-B; the same command" in capsys.readouterr().err
    # What is finished needs neither images nor features.
    output.mkdir()
    for name in ("ET-NAS-A", "ET-NAS-B"):
        made = arguments(data, name)
        made.resolution = 64
        (request,) = requests(made)
        card = replace(packaged_cards()["ET-NAS-A"], command=request.command)
        (output / f"{name}.json").write_bytes(to_json(card))
    teach_package.main()
    assert computed == ["features"]
