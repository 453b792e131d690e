"""A teacher's features, and batches that have them as labels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.arch.network import PooledLinear
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.errors import InvalidInput
from nasoa.offline.evaluate import load_proxy
from nasoa.offline.taught_inputs import TaughtInputs
from nasoa.offline.teacher import Teacher
from nasoa.offline.teacher_features import Lesson
from nasoa.offline.teaching_loss import TeachingLoss, fraction_learned, unexplained
from nasoa.training.inputs import InputConfig, split_network
from nasoa.training.precision import Precision, best_precision
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD

DIGITS = "sklearn:digits:classes=0,1,2:per_class=60"


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
    config = InputConfig(
        resolution=32,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        batch_size=16,
        flip=True,
        min_scale=0.5,
        seed=3,
    )
    lesson = Lesson(data, teacher, views=2, min_scale=0.5, seed=3)
    return TaughtInputs(lesson, config, precision)


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


def test_views_return_and_are_the_same_crops_for_both(
    inputs: TaughtInputs, teacher: Teacher
) -> None:
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
    # A teacher at the student's size receives the same pixels as the student.
    inputs.lesson.teacher.resolution, before = 32, inputs.lesson.teacher.resolution
    try:
        image = torch.rand(2, 3, 32, 32)
        assert teacher.features(image).shape == (2, teacher.num_features)
    finally:
        inputs.lesson.teacher.resolution = before


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


def test_features_in_a_file_serve_later_lessons(
    data: ImageDataset, teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "work" / "lesson.npy"

    def lesson(views: int = 2) -> Lesson:
        return Lesson(data, teacher, views=views, min_scale=0.5, seed=3, kept=path)

    places = torch.arange(6)
    asked: list[int] = []
    images, views = data.train.images(places), torch.tensor([0, 1, 0, 1, 0, 1])
    before = lesson().of_views(images, views, places)
    whole = teacher.features

    def counted(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return whole(images)

    monkeypatch.setattr(teacher, "features", counted)
    later = lesson()
    assert torch.equal(later.of_views(images, views, places), before)
    assert sum(asked) == min(len(data.val), 512)  # for the moments; none of a view
    with pytest.raises(InvalidInput, match="remove the file"):
        lesson(views=3).of_views(images, views, places)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_evaluation_compares_classes_of_whole_images(inputs: TaughtInputs) -> None:
    trainable = student(inputs.lesson.teacher.num_features)
    limit = inputs.count("val") - 1
    once = list(inputs.evaluate(trainable, "val", limit))
    again = list(inputs.evaluate(trainable, "val", limit))
    assert sum(len(labels) for _, labels in once) == limit
    assert all(torch.equal(a[1], b[1]) for a, b in zip(once, again, strict=True))
    assert once[0][0].shape[1] == 7


def test_a_teacher_with_another_head_is_refused(precision: Precision) -> None:
    network = build_network(parse("0- 8 1-2-1-1"), 3)
    network.head = nn.Sequential(PooledLinear(16, 8), nn.Linear(8, 3))
    with pytest.raises(InvalidInput, match="whose head is a Sequential"):
        Teacher(network, mean=IMAGENET_MEAN, std=IMAGENET_STD, resolution=32, precision=precision)
