"""A teacher's features, and batches that have them as labels."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.arch.network import PooledLinear
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.data.dataset import MemorySplit
from nasoa.errors import InvalidInput, UnknownName
from nasoa.offline.evaluate import load_proxy
from nasoa.offline.feature_file import FeatureFile, FeatureFolder
from nasoa.offline.taught_inputs import TaughtInputs
from nasoa.offline.teacher import Teacher, default_teacher_resolution
from nasoa.offline.teacher_features import Lesson, check_teacher, spaced
from nasoa.offline.teaching_loss import TeachingLoss, fraction_learned, unexplained
from nasoa.training.inputs import InputConfig, evaluation_order, split_network
from nasoa.training.precision import Precision, best_precision
from nasoa.training.processes import Processes
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD

DIGITS = "sklearn:digits:classes=0,1,2:per_class=60"
STUDENT = InputConfig(
    resolution=32,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    batch_size=16,
    flip=True,
    min_scale=0.5,
    seed=3,
)


@pytest.fixture(scope="module")
def precision() -> Precision:
    return best_precision()


@pytest.fixture(scope="module")
def network() -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse("0- 16 1-2-1-1"), 7).eval()


@pytest.fixture(scope="module")
def teacher(network: StagedNetwork, precision: Precision) -> Teacher:
    return Teacher(
        network, mean=IMAGENET_MEAN, std=IMAGENET_STD, resolution=48, precision=precision
    )


@pytest.fixture
def data(judging: EvaluateConfig) -> ImageDataset:
    return load_proxy(DIGITS, judging)


@pytest.fixture
def inputs(data: ImageDataset, teacher: Teacher, precision: Precision) -> TaughtInputs:
    lesson = Lesson(data, teacher, views=2, min_scale=0.5, seed=3)
    return TaughtInputs(lesson, STUDENT, precision)


def student(num_features: int) -> nn.Sequential:
    torch.manual_seed(1)
    network = build_network(parse("1- 8 1-2-1-1"), num_features)
    return split_network(network, -1)[1]


def test_features_through_the_classifier_are_what_the_network_says(
    teacher: Teacher, network: StagedNetwork, data: ImageDataset
) -> None:
    images = data.val.images(torch.arange(8))
    said = teacher.logits(teacher.features(images)).softmax(1)
    floats = torch.nn.functional.interpolate(
        images.float() / 255, (48, 48), mode="bilinear", antialias=True
    )
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    with torch.no_grad():
        expected = network((floats - mean[:, None, None]) / std[:, None, None]).softmax(1)
    assert said.shape == (8, 7)
    assert torch.allclose(said, expected, atol=0.03)


def test_loss_is_least_where_the_student_says_what_the_teacher_does(teacher: Teacher) -> None:
    targets = torch.randn(16, teacher.num_features)
    loss = TeachingLoss(teacher.logits)
    same, other = loss(targets, targets), loss(targets.flip(0), targets)
    entropy = torch.distributions.Categorical(logits=teacher.logits(targets)).entropy().mean()
    assert float(same) == pytest.approx(float(entropy), rel=1e-3)
    assert other > same
    assert float(unexplained(targets, targets)) == 0.0
    assert float(unexplained(torch.zeros_like(targets), targets)) == 1.0


def test_the_share_learned_is_between_the_average_and_the_teacher() -> None:
    targets = torch.randn(64, 5) * 3
    average = targets.softmax(1).mean(0).log().expand_as(targets)
    assert fraction_learned(targets, targets) == pytest.approx(1.0, abs=1e-5)
    assert fraction_learned(average, targets) == pytest.approx(0.0, abs=1e-5)
    assert fraction_learned(-targets, targets) == 0.0
    halfway = (targets.softmax(1) / 2 + average.exp() / 2).log()
    assert 0.4 < fraction_learned(halfway, targets) < 1.0


def test_views_return_with_the_same_targets(inputs: TaughtInputs) -> None:
    count = inputs.count("train")
    steps = -(-2 * count // 16) + 2
    seen: dict[bytes, torch.Tensor] = {}
    returned = 0
    for _, (images, targets) in zip(range(steps), inputs.train_batches(0), strict=False):
        assert images.shape == (16, 3, 32, 32)
        for image, target in zip(images, targets, strict=True):
            key = image.contiguous().numpy().tobytes()
            if key in seen:
                returned += 1
                assert torch.equal(seen[key], target)
            seen[key] = target
    assert returned >= 16
    assert len(seen) == 2 * count


def test_the_teacher_and_its_student_see_the_same_crops(
    data: ImageDataset, network: StagedNetwork, precision: Precision
) -> None:
    """A teacher of the student's resolution receives the student's pixels."""
    teacher = Teacher(
        network, mean=IMAGENET_MEAN, std=IMAGENET_STD, resolution=32, precision=precision
    )
    lesson = Lesson(data, teacher, views=2, min_scale=0.5, seed=3)
    inputs = TaughtInputs(lesson, STUDENT, precision)
    images, targets = next(inputs.train_batches(0))
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    said = teacher.features(images * std + mean)
    centre, scale = lesson._moments
    assert torch.allclose((said.float() - centre) / scale, targets.float(), atol=0.1)
    # Other crops of the same images have other features.
    assert not torch.allclose((said.float() - centre).roll(1, 0) / scale, targets.float(), atol=0.1)


def test_batches_are_a_function_of_the_iteration(inputs: TaughtInputs) -> None:
    batches = [batch for _, batch in zip(range(5), inputs.train_batches(0), strict=False)]
    images, targets = next(inputs.train_batches(3))
    assert torch.equal(images, batches[3][0])
    assert torch.equal(targets, batches[3][1])


def test_what_is_known_of_a_view_is_not_asked_again(
    inputs: TaughtInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = 2 * inputs.count("train") // 16 + 1
    for _, _batch in zip(range(epochs), inputs.train_batches(0), strict=False):
        pass

    def refuse(_images: torch.Tensor) -> torch.Tensor:
        raise AssertionError("asked again")

    monkeypatch.setattr(inputs.lesson.teacher, "features", refuse)
    for _, _batch in zip(range(epochs), inputs.train_batches(epochs), strict=False):
        pass


@pytest.fixture
def asked(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of images that the teacher has been asked for."""
    numbers: list[int] = []
    whole = teacher.features

    def counted(images: torch.Tensor) -> torch.Tensor:
        numbers.append(len(images))
        return whole(images)

    monkeypatch.setattr(teacher, "features", counted)
    return numbers


def test_features_in_a_file_serve_later_lessons(
    data: ImageDataset, teacher: Teacher, tmp_path: Path, asked: list[int]
) -> None:
    folder = FeatureFolder(tmp_path / "work")

    def lesson(data: ImageDataset = data, views: int = 2) -> Lesson:
        return Lesson(data, teacher, views=views, min_scale=0.5, seed=3, folder=folder)

    first = lesson()
    first.compute()
    assert sum(asked) == first.num_images == 2 * len(data.train) + len(data.val)
    indices = torch.arange(6)
    images, views = data.train.images(indices), torch.tensor([0, 1, 0, 1, 0, 1])
    before = first.of_views(images, views, indices)
    whole = first.of_whole("val", data.val.images(indices), indices)
    later = lesson()
    later.compute()
    assert torch.equal(later.of_views(images, views, indices), before)
    assert torch.equal(later.of_whole("val", data.val.images(indices), indices), whole)
    assert sum(asked) == first.num_images
    assert len(list(folder.path.iterdir())) == 1
    # Other images, views or weights have other files.
    lesson(views=3).compute()
    swapped = replace(data, val=data.train)
    lesson(swapped).compute()
    changed = data.train.images(torch.arange(len(data.train)))
    changed[17, 0, 0, 0] ^= 1
    train = MemorySplit(changed, torch.arange(len(changed)), data.train.labels)
    lesson(replace(data, train=train)).compute()
    assert len(list(folder.path.iterdir())) == 4


def test_a_lesson_that_was_killed_continues(
    data: ImageDataset, teacher: Teacher, tmp_path: Path, asked: list[int]
) -> None:
    def lesson(folder: FeatureFolder | None) -> Lesson:
        return Lesson(data, teacher, views=2, min_scale=0.5, seed=3, folder=folder)

    indices = torch.arange(40)
    images = data.train.images(indices)
    killed = lesson(FeatureFolder(tmp_path))
    killed.of_views(images, torch.zeros(40, dtype=torch.int64), indices)
    known = sum(asked)
    # A row that was not written to its end is still unknown.
    killed._file._rows[0, 0] = np.nan
    killed._file._rows[0, 1:] = 9.0
    del killed
    resumed = lesson(FeatureFolder(tmp_path))
    resumed.compute()
    assert sum(asked) == resumed.num_images + 1
    assert known > 40
    whole = lesson(None)
    for view in (0, 1):
        views = torch.full((40,), view)
        assert torch.allclose(
            resumed.of_views(images, views, indices), whole.of_views(images, views, indices)
        )


def test_processes_that_train_together_divide_the_images(
    data: ImageDataset, teacher: Teacher, tmp_path: Path, asked: list[int]
) -> None:
    folder = FeatureFolder(tmp_path)
    first, second = (
        Lesson(data, teacher, views=2, min_scale=0.5, seed=3, folder=folder) for _ in range(2)
    )
    numbers: list[int] = []

    class First(Processes):
        def together(self, work: Callable[[], Any]) -> Any:
            """Do the work of this process, then that of the second one."""
            for own in (work, partial(second._compute, 1, 2)):
                before = sum(asked)
                own()
                numbers.append(sum(asked) - before)

    first.compute(First(rank=0, count=2))
    assert sum(asked) == sum(numbers) == first.num_images
    assert min(numbers) > 0.2 * first.num_images


def test_lessons_stay_within_the_limit_of_the_cache(tmp_path: Path) -> None:
    folder = FeatureFolder(tmp_path / "lessons", max_bytes=5000)
    old = folder.open("old", (10, 100))
    assert old is not None
    assert folder.open("large", (100, 100)) is None
    assert folder.open("newer", (20, 100)) is None  # the other is in use
    os.utime(tmp_path / "lessons" / "old.npy", (0, 0))
    assert folder.open("newer", (20, 100)) is not None
    assert [path.name for path in folder.path.iterdir()] == ["newer.npy"]
    with pytest.raises(InvalidInput, match=r"shape \(5, 100\) in .*remove the file"):
        folder.open("newer", (5, 100))
    (tmp_path / "file").touch()
    assert FeatureFolder(tmp_path / "file").open("x", (1, 1)) is None


def test_two_processes_compute_a_lesson_once(tmp_path: Path) -> None:
    """The second waits for the first, and finds all features."""
    file = FeatureFile(tmp_path / "x.npy", (8, 4))
    entered = threading.Event()
    found: list[int] = []

    def other() -> None:
        entered.set()
        same = FeatureFile(tmp_path / "x.npy", (8, 4))
        with same.locked():
            found.append(len(same.unknown(np.arange(8))))

    waiting = threading.Thread(target=other)
    with file.locked():
        waiting.start()
        entered.wait()
        time.sleep(0.05)
        assert not found
        file.write(np.arange(8), torch.ones(8, 4))
    waiting.join()
    assert found == [0]


def test_moments_are_of_images_of_all_classes(data: ImageDataset, teacher: Teacher) -> None:
    assert spaced(10, 20).tolist() == list(range(10))
    assert spaced(10, 4).tolist() == [0, 2, 5, 7]
    assert len(data.val.labels[spaced(len(data.val), 6)].unique()) == 3


@pytest.mark.parametrize(
    ("value", "said"),
    [(1.0, "are the same for all"), (float("nan"), "expected finite"), (1e9, "expected finite")],
    ids=["constant", "NaN", "too large for their format"],
)
def test_features_that_teach_nothing_are_refused(
    data: ImageDataset, teacher: Teacher, monkeypatch: pytest.MonkeyPatch, value: float, said: str
) -> None:
    def useless(images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), teacher.num_features), value).half()

    check_teacher(teacher, data)
    monkeypatch.setattr(teacher, "features", useless)
    lesson = Lesson(data, teacher, views=2, min_scale=0.5, seed=3)
    indices = torch.arange(4)
    with pytest.raises(InvalidInput, match=said):
        check_teacher(teacher, data)
    with pytest.raises(InvalidInput, match=said):
        lesson.of_views(data.train.images(indices), torch.zeros_like(indices), indices)


def test_a_small_model_is_given_small_images() -> None:
    assert default_teacher_resolution("ET-NAS-A", 224) == 64
    assert default_teacher_resolution("efficientnet-lite2", 224) == 224
    assert default_teacher_resolution("efficientnet-lite2", 160) == 160
    with pytest.raises(UnknownName, match="efficientnet-lite2"):
        default_teacher_resolution("efficientnet-lite9", 160)


def test_evaluation_compares_classes_of_whole_images(inputs: TaughtInputs) -> None:
    trainable = student(inputs.lesson.teacher.num_features)
    limit = inputs.count("val") - 1
    once = list(inputs.evaluate(trainable, "val", limit))
    again = list(inputs.evaluate(trainable, "val", limit))
    assert sum(len(labels) for _, labels in once) == limit
    assert all(torch.equal(a[1], b[1]) for a, b in zip(once, again, strict=True))
    assert once[0][0].shape[1] == 7
    # Labels are what the teacher says of whole images.
    teacher, val = inputs.lesson.teacher, inputs.data.val
    said = teacher.logits(teacher.features(val.images(torch.arange(len(val))))).argmax(1)
    order = evaluation_order(len(val), inputs.config.seed)[:limit]
    labels = torch.cat([labels for _, labels in once])
    assert (labels == said[order]).float().mean() > 0.95  # rounding decides a few


def test_a_teacher_with_another_head_is_refused(precision: Precision) -> None:
    network = build_network(parse("0- 8 1-2-1-1"), 3)
    network.head = nn.Sequential(PooledLinear(16, 8), nn.Linear(8, 3))
    with pytest.raises(InvalidInput, match="whose head is a Sequential"):
        Teacher(network, mean=IMAGENET_MEAN, std=IMAGENET_STD, resolution=32, precision=precision)
