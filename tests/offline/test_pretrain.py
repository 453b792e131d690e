"""Pretraining in one process: the metrics of its epochs, and resuming after an interruption."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import pytest
import torch

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.config import DataConfig, PretrainConfig
from nasoa.data import ImageDataset, load_dataset, with_unlabelled
from nasoa.errors import CorruptRecord, InvalidInput, TimeLimitError, TrainingFailed
from nasoa.offline.epoch_log import from_json_lines, to_json_lines
from nasoa.offline.pretrain import Compute, Journal, Pretrained, pretrain, recipe_digest
from nasoa.offline.source_images import load_source
from nasoa.offline.teacher import Teacher
from nasoa.offline.teacher_features import Lesson
from nasoa.records import EpochMetrics
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from nasoa.training.loop import Trainer
from nasoa.training.run import TrainingResult
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD
from tests.offline import pretraining_process as process


def run(
    state: RunState | None = None, kept: Sequence[EpochMetrics] = ()
) -> tuple[list[EpochMetrics], list[bytes]]:
    """Return the epochs as last recorded, and every checkpoint."""
    recorded: list[bytes] = []
    saved: list[bytes] = []
    pretrain(
        process.fresh(),
        process.source(),
        process.CONFIG,
        compute=Compute(process.PLAIN),
        limit_s=1e6,
        journal=Journal(
            save=lambda state: saved.append(to_bytes(state)),
            epochs=lambda epochs: recorded.append(to_json_lines(epochs)),
            state=state,
            kept=kept,
        ),
    )
    assert len(recorded) <= process.CONFIG.epochs
    return from_json_lines(recorded[-1], "epochs"), saved


def test_every_epoch_is_recorded_once_however_often_it_is_cut_off() -> None:
    epochs, saved = run()
    assert [epoch.iteration for epoch in epochs] == [3, 6, 9, 11]
    assert all(epoch.images_per_s > 0 for epoch in epochs)
    # Warm-up, then decay.
    assert epochs[0].lr > epochs[-1].lr > 0
    assert [e.elapsed_s for e in epochs] == sorted(e.elapsed_s for e in epochs)
    state = from_bytes(saved[len(saved) // 2], "state")
    done = state.iteration
    again, _saved = run(state, [epoch for epoch in epochs if epoch.iteration <= done])
    assert [epoch.iteration for epoch in again] == [3, 6, 9, 11]
    for first, second in zip(epochs, again, strict=True):
        assert (first.epoch, first.lr) == (second.epoch, second.lr)
        assert first.val_accuracy == pytest.approx(second.val_accuracy, abs=0.1)
    # Epochs that begin after the checkpoint are trained from their start.
    whole = [e for e, before in zip(epochs[1:], epochs, strict=False) if before.iteration >= done]
    for epoch in whole:
        (same,) = [e for e in again if e.iteration == epoch.iteration]
        assert same.train_loss == pytest.approx(epoch.train_loss, abs=1e-3)


def test_metrics_that_are_none_are_named() -> None:
    with pytest.raises(CorruptRecord, match=r"epochs\.jsonl"):
        from_json_lines(b'{"epoch": 1}\n', "epochs.jsonl")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums do not depend on how many cores are free, so neither do accuracies on few images."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    """A network that was trained on the same digits."""
    network = process.fresh()
    process.train(network, lambda _state: None, epochs=12)
    how = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    return Teacher(network, **how, resolution=32, precision=process.PLAIN)


def taught(
    teacher: Teacher, network: StagedNetwork, state: RunState | None = None
) -> tuple[Pretrained, list[bytes]]:
    data, saved = process.source(), []
    lesson = Lesson(data, teacher, views=2, min_scale=process.CONFIG.min_scale, seed=0)
    result = pretrain(
        network,
        data,
        dataclasses.replace(process.CONFIG, epochs=12),
        compute=Compute(process.PLAIN),
        limit_s=1e6,
        journal=Journal(save=lambda state: saved.append(to_bytes(state)), state=state),
        lesson=lesson,
    )
    return result, saved


def test_a_taught_network_knows_the_classes_though_it_learned_no_label(teacher: Teacher) -> None:
    network = process.fresh()
    result, saved = taught(teacher, network)
    assert network.num_classes == 3
    assert result.val_accuracy > 0.8
    assert result.test_accuracy is not None
    assert result.test_accuracy > 0.6
    # The checkpoint is of the student, whose head gives features.
    heads = from_bytes(saved[-1], "state").network["head.fc.weight"]
    assert heads.shape[0] == teacher.num_features
    again = process.fresh()
    resumed, _saved = taught(teacher, again, from_bytes(saved[len(saved) // 2], "state"))
    assert resumed.test_accuracy == pytest.approx(result.test_accuracy, abs=0.1)


def test_labels_are_used_for_the_head_alone(teacher: Teacher) -> None:
    """With labels that are shifted by one, the layers below learn the same."""
    first, second = process.fresh(), process.fresh()
    torch.manual_seed(1)  # of the student's head
    straight, _saved = taught(teacher, first)
    data = process.source()
    for split in (data.train, data.val, data.test):
        split.labels.copy_((split.labels + 1) % 3)
    lesson = Lesson(data, teacher, views=2, min_scale=process.CONFIG.min_scale, seed=0)
    config = dataclasses.replace(process.CONFIG, epochs=12)
    journal = Journal(save=lambda _state: None)
    torch.manual_seed(1)
    shifted = pretrain(
        second,
        data,
        config,
        compute=Compute(process.PLAIN),
        limit_s=1e6,
        journal=journal,
        lesson=lesson,
    )
    for name, value in first.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(second.state_dict()[name], value), name
    assert shifted.test_accuracy is not None
    assert shifted.test_accuracy == pytest.approx(straight.test_accuracy)
    assert shifted.test_accuracy > 0.6


def test_images_without_labels_are_learned_from_too(teacher: Teacher) -> None:
    data = process.source()
    others = load_dataset("sklearn:digits:classes=3,4:per_class=60", seed=0, resolution=48)
    both = with_unlabelled(data, [others])
    assert len(both.train) == len(data.train) + len(others.train)
    lesson = Lesson(both, teacher, views=2, min_scale=process.CONFIG.min_scale, seed=0)
    epochs: list[EpochMetrics] = []
    network = process.fresh()
    result = pretrain(
        network,
        data,
        dataclasses.replace(process.CONFIG, epochs=10),
        compute=Compute(process.PLAIN),
        limit_s=1e6,
        journal=Journal(save=lambda _state: None, epochs=lambda found: epochs.extend(found)),
        lesson=lesson,
    )
    # An epoch passes over the images of both; the head knows the classes of the first alone.
    per_epoch = len(both.train) / process.CONFIG.batch_size
    assert epochs[0].iteration == pytest.approx(per_epoch, abs=1.0)
    assert result.epochs == pytest.approx(10, abs=1.0)
    assert network.num_classes == 3
    assert result.test_accuracy is not None
    assert result.test_accuracy > 0.6


@pytest.mark.parametrize("at_once", [False, True], ids=["later", "in the first step"])
def test_a_pretraining_that_diverges_makes_no_network(at_once: bool) -> None:
    network = process.fresh()
    assert isinstance(network.head, PooledLinear)
    if at_once:
        torch.nn.init.constant_(network.head.fc.bias, float("inf"))
    with pytest.raises(
        TrainingFailed, match=r"finite loss.* in step \d+ .*1e\+30.*lower --lr"
    ) as told:
        pretrain(
            network,
            process.source(),
            dataclasses.replace(process.CONFIG, lr=1e30),
            compute=Compute(process.PLAIN),
            limit_s=1e6,
            journal=Journal(save=lambda _state: None),
        )
    assert ("in step 1 " in str(told.value)) == at_once


def test_a_source_without_test_images_has_no_test_accuracy() -> None:
    data = load_dataset(
        "sklearn:digits:classes=0,1,2:per_class=40",
        seed=0,
        resolution=32,
        config=DataConfig(test_fraction=0.0),
    )
    assert len(data.train) + len(data.val) == 120
    result = pretrain(
        process.fresh(),
        data,
        dataclasses.replace(process.CONFIG, epochs=1),
        compute=Compute(process.PLAIN),
        limit_s=1e6,
        journal=Journal(save=lambda _state: None),
    )
    assert result.test_accuracy is None
    assert 0.0 <= result.val_accuracy <= 1.0


def test_a_recipe_that_cannot_be_is_refused() -> None:
    for wrong in ({"epochs": 0}, {"resolution": 0}, {"teacher_views": 0}, {"lr": 0.0}):
        with pytest.raises(InvalidInput, match="expected"):
            dataclasses.replace(PretrainConfig.small(), **wrong)


def test_another_recipe_has_another_checkpoint() -> None:
    recipe = PretrainConfig.small()
    digest = recipe_digest(recipe, ["f1"])
    assert recipe_digest(PretrainConfig.small(), ("f1",)) == digest
    others = [
        recipe_digest(dataclasses.replace(recipe, teacher="efficientnet-lite2"), ["f1"]),
        recipe_digest(recipe, ["f2"]),
        recipe_digest(recipe, ["f1", "f2"]),
    ]
    assert len({digest, *others}) == 4


def test_a_setting_of_a_later_release_does_not_change_a_recipe() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class LaterConfig(PretrainConfig):
        mixup: float = 0.0

    recipe = PretrainConfig.small()
    later = LaterConfig(**vars(recipe))
    assert recipe_digest(later, ["f1"]) == recipe_digest(recipe, ["f1"])
    mixed = dataclasses.replace(later, mixup=0.2)
    assert recipe_digest(mixed, ["f1"]) != recipe_digest(recipe, ["f1"])


def test_images_are_not_stored_larger_than_they_are() -> None:
    recipe = dataclasses.replace(
        PretrainConfig.small(), teacher="efficientnet-lite2", teacher_resolution=160
    )
    data = process.source()

    def loaded(image_resolution: int, config: PretrainConfig) -> list[int]:
        """Return the resolutions at which images are loaded."""
        asked: list[int] = []

        def load(resolution: int) -> ImageDataset:
            asked.append(resolution)
            return dataclasses.replace(
                data, resolution=resolution, image_resolution=image_resolution
            )

        assert load_source(load, config).resolution == asked[-1]
        return asked

    assert loaded(64, recipe) == [64]
    assert loaded(128, recipe) == [64, 128]
    assert loaded(500, recipe) == [64, 160]
    assert loaded(500, dataclasses.replace(recipe, teacher="")) == [64]
    assert loaded(64, dataclasses.replace(recipe, resolution=96)) == [96]


def test_the_teacher_is_asked_before_the_first_step(
    teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_in_training: list[int] = []
    whole = teacher.features
    run_of = Trainer.run

    def counted(images: torch.Tensor) -> torch.Tensor:
        asked_in_training.append(len(images))
        return whole(images)

    def run(self: Trainer) -> TrainingResult:
        monkeypatch.setattr(teacher, "features", counted)
        return run_of(self)

    monkeypatch.setattr(Trainer, "run", run)
    data = process.source()
    pretrain(
        process.fresh(),
        data,
        dataclasses.replace(process.CONFIG, epochs=1),
        compute=Compute(process.PLAIN),
        limit_s=1e6,
        journal=Journal(save=lambda _state: None),
        lesson=Lesson(data, teacher, views=2, min_scale=process.CONFIG.min_scale, seed=0),
    )
    assert not asked_in_training


def test_a_limit_that_the_teacher_uses_up_makes_no_network(teacher: Teacher) -> None:
    data = process.source()
    lesson = Lesson(data, teacher, views=2, min_scale=process.CONFIG.min_scale, seed=0)
    with pytest.raises(TimeLimitError, match="as the teacher's features took it"):
        pretrain(
            process.fresh(),
            data,
            dataclasses.replace(process.CONFIG, epochs=1),
            compute=Compute(process.PLAIN),
            limit_s=1e-3,
            journal=Journal(save=lambda _state: None),
            lesson=lesson,
        )
    assert not len(lesson._unknown("val", torch.arange(len(data.val))))
