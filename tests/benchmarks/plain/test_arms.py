"""Each plain arm learns a small data set within its limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchmarks.plain import finetune, linear, loop
from benchmarks.plain.data import read, survey
from benchmarks.plain.lite import NAME, precisions
from nasoa.errors import WeightsError
from nasoa.zoo import lite_models

LIMIT_S = 6.0
SLACK_S = 30.0  # a single step, or a fit, may end after the limit, and late on a busy machine


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def weights() -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="nasoa[lite] is not installed")
    try:
        lite_models.weights_file(NAME, "")
    except WeightsError as error:
        pytest.skip(str(error))


def check(found: dict[str, Any]) -> None:
    # How much two trainings learn in a few seconds depends on the machine, so it is not checked.
    assert 0.0 <= found["accuracy"] <= 1.0
    assert 0 < found["elapsed_s"] < LIMIT_S + SLACK_S


@pytest.mark.slow
def test_loop(colours: Path) -> None:
    found: dict[str, Any] = loop.run(str(colours), LIMIT_S, seed=0)
    check(found)
    assert found["epochs"] > 0


@pytest.mark.usefixtures("weights")
def test_linear(colours: Path) -> None:
    found: dict[str, Any] = linear.run(str(colours), LIMIT_S, seed=0)
    check(found)
    assert found["accuracy"] >= 0.9
    assert found["size"] in {64, 96}  # 32 px are enlarged to three times their size at most
    assert 0 < found["train_fraction"] <= 1


@pytest.mark.slow
@pytest.mark.usefixtures("weights")
def test_finetune(colours: Path) -> None:
    found: dict[str, Any] = finetune.run(str(colours), LIMIT_S, seed=0)
    check(found)
    assert found["size"] in {64, 96}
    assert found["epochs"] > 0


@pytest.mark.slow
@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("arm", [loop, finetune])
def test_a_limit_that_is_over_at_once_gives_one_step(colours: Path, arm: ModuleType) -> None:
    found = arm.run(str(colours), 0.01, seed=0)
    assert 0 < found["epochs"] <= 1
    assert found["elapsed_s"] < SLACK_S


@pytest.mark.usefixtures("weights")
def test_steps_of_the_finetune_learn_their_batch(colours: Path) -> None:
    images = read(str(colours), 0, 64)
    indices = torch.arange(0, 80, 5)
    torch.manual_seed(0)
    trainer = finetune.Trainer(64, 2, precisions()[0])
    losses = [
        trainer.step(images.train[indices], images.train_labels[indices], finetune.LR).item()
        for _ in range(8)
    ]
    assert min(losses[-2:]) < 0.8 * losses[0]
    assert set(trainer.classes(images.test).tolist()) <= {0, 1}


def test_all_training_images_are_read(colours: Path) -> None:
    found = survey(str(colours))
    assert (found.num_images, found.num_train, found.num_classes) == (100, 80, 2)
    assert found.image_resolution == 32
    images = read(str(colours), 0, 64)
    assert images.train.shape == (80, 3, 64, 64)
    assert images.train_labels.bincount().tolist() == [40, 40]
    assert images.test.shape == (20, 3, 64, 64)
