"""The package's own pretraining: what a card tells, names of searched networks, and turns."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from nasoa.config import PretrainConfig
from nasoa.errors import UnknownName
from nasoa.offline.pretrain import Pretrained
from nasoa.records import from_json
from nasoa.zoo.entries import Card
from nasoa.zoo.networks import load_network
from scripts import pretrain_starter
from scripts.pretrain_starter import Images, Request, pretrain_model, start, write_model

DIGITS = "sklearn:digits:classes=0,1,2:per_class=60"
OTHERS = "sklearn:digits:classes=3,4:per_class=40"
SMALL = replace(
    PretrainConfig.small(), epochs=2, batch_size=16, resolution=32, checkpoint_every_s=0.001
)
TAUGHT = replace(SMALL, teacher="ET-NAS-A", teacher_resolution=32, teacher_views=2)


def request_of(folder: Path, config: PretrainConfig, model: str = "0- 8 1-2-1-1") -> Request:
    return Request(
        model=model,
        data=DIGITS,
        unlabelled=(OTHERS,) if config.teacher else (),
        config=config,
        limit_s=600.0,
        work=folder / "work",
        output=folder / "out",
    )


def card_of(path: Path) -> Card:
    return from_json(path.read_bytes(), Card)


def test_a_taught_network_names_its_teacher_and_all_of_its_images(tmp_path: Path) -> None:
    request = replace(request_of(tmp_path, TAUGHT), name="narrow", family="ResNet")
    images = Images.of(request)
    assert pretrain_model(request, images)
    card = card_of(tmp_path / "out" / "narrow.json")
    assert (card.entry.name, card.entry.family) == ("narrow", "ResNet")
    assert card.entry.encoding == "0- 8 1-2-1-1"
    assert card.teacher == "ET-NAS-A"
    (others,) = card.unlabelled
    assert others in card.note
    assert "outputs of ET-NAS-A, which was pretrained on tinyimagenet200, at 32 px" in card.note
    assert images.lesson is not None
    assert f"{len(images.lesson.data.train):,} images of {images.data.name}" in card.note
    assert len(images.lesson.data.train) > card.num_train == len(images.data.train)
    # Accuracies are on the source of the labels, by which networks are compared.
    assert card.entry.source == images.data.name
    load_network(card.entry, (tmp_path / "out" / "narrow.safetensors").read_bytes())


def test_a_network_that_learned_labels_has_no_teacher(tmp_path: Path) -> None:
    request = request_of(tmp_path, SMALL)
    images = Images.of(request)
    model = start(request, len(images.data.class_names))
    write_model(model, request, images, Pretrained(2.0, 0.5, 0.4, 9.0, ()))
    (path,) = (tmp_path / "out").glob("searched-*.json")
    card = card_of(path)
    assert (card.teacher, card.unlabelled, card.entry.family) == ("", (), "searched")
    assert "not an ImageNet model" in card.note


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "resnet18-narrow", "family": "ResNet"},
        {"config": replace(TAUGHT, lr=0.3, resolution=96), "unlabelled": ("a.zip", "b.zip")},
    ],
)
def test_the_command_of_a_card_makes_the_same_model(
    tmp_path: Path, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SMALL, checkpoint_every_s=PretrainConfig.small().checkpoint_every_s)
    request = replace(request_of(tmp_path, config), **changes)
    if request.config.teacher:
        every_s = config.checkpoint_every_s
        request = replace(request, config=replace(request.config, checkpoint_every_s=every_s))
    monkeypatch.setattr("sys.argv", shlex.split(request.command)[1:])
    found = pretrain_starter._parse()
    for field in ("model", "name", "family", "data", "unlabelled", "config"):
        assert getattr(found, field) == getattr(request, field)


def test_a_pretraining_that_is_stopped_for_others_goes_on_from_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = request_of(tmp_path, TAUGHT)
    images = Images.of(request)
    turns = 1
    while not pretrain_model(request, images, turn_ends_s=0.0):
        (checkpoint,) = (tmp_path / "work").glob("searched-*.safetensors")
        assert checkpoint.stat().st_size > 0
        assert not (tmp_path / "out").exists()
        turns += 1
        assert turns < 100
    assert turns > 1
    (path,) = (tmp_path / "out").glob("searched-*.json")
    card = card_of(path)
    assert card.epochs == pytest.approx(2.0, abs=0.1)
    # Each line of an epoch says whose it is.
    lines = [line for line in capsys.readouterr().err.splitlines() if "epoch" in line]
    assert lines
    assert all(path.stem in line for line in lines)


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="ET-NAS"):
        start(request_of(tmp_path, SMALL, "ET-NAS-Z"), 3)
