"""Runs drawn like users' tasks: the settings that are drawn, and the images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasoa.data import ImageDataset, load_dataset
from nasoa.errors import InvalidInput
from nasoa.online.collecting.meta_train import (
    DRAWN,
    MAX_TEST,
    PlannedTask,
    part_of_task,
    plan_task,
    random_part,
)

DATA = ["birds", "cars", "dogs"]
LIMITS_S = (15.0, 120.0)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("sklearn:digits:per_class=60", seed=0, resolution=32)


def plan(numbers: range, seed: int = 0) -> list[PlannedTask]:
    return [plan_task(number, DATA, LIMITS_S, seed) for number in numbers]


def test_tasks_repeat_by_their_number_and_take_data_sets_in_turn() -> None:
    tasks = plan(range(30))
    assert plan(range(29, -1, -1)) == tasks[::-1]
    assert [task.number for task in tasks] == list(range(30))
    assert [task.dataset for task in tasks] == DATA * 10
    assert len({task.seed for task in tasks}) == 30
    assert not {task.seed for task in tasks} & {task.seed for task in plan(range(30), seed=1)}


def test_tasks_are_drawn_from_the_whole_of_their_ranges() -> None:
    tasks = plan(range(600))
    limits_s = [task.limit_s for task in tasks]
    assert LIMITS_S[0] <= min(limits_s) < 16
    assert 115 < max(limits_s) <= LIMITS_S[1]
    # Uniform on a logarithmic scale: half of them are below the geometric mean.
    assert np.median(limits_s) == pytest.approx(np.sqrt(np.prod(LIMITS_S)), rel=0.15)
    drawn = [task.num_drawn for task in tasks]
    assert DRAWN[0] <= min(drawn) < 12
    assert 2700 < max(drawn) <= DRAWN[1]
    assert np.median(drawn) == pytest.approx(np.sqrt(np.prod(DRAWN)), rel=0.3)
    chances = {(task.is_whole, task.by_experience) for task in tasks}
    assert len(chances) == 4


def test_all_tasks_may_have_one_limit() -> None:
    for number in range(20):
        assert plan_task(number, DATA, (30.0, 30.0), 0).limit_s == pytest.approx(30.0)


def test_a_whole_task_has_all_classes_and_training_images(digits: ImageDataset) -> None:
    (task, *_) = (task for task in plan(range(50)) if task.is_whole)
    part = part_of_task(digits, task)
    assert part.class_names == digits.class_names
    for split in ("train", "val", "test"):
        of_part, of_all = getattr(part, split), getattr(digits, split)
        assert of_part.labels.tolist() == of_all.labels.tolist()


def test_a_whole_task_tests_on_a_bounded_number_of_images() -> None:
    whole = load_dataset("sklearn:digits", seed=0, resolution=32)
    many = replace(whole, test=whole.train)
    assert len(many.test) > MAX_TEST
    task = replace(plan_task(0, DATA, LIMITS_S, 0), is_whole=True)
    part = part_of_task(many, task)
    assert (len(part.test), len(part.train)) == (MAX_TEST, len(whole.train))
    assert part.test.labels.tolist() == part_of_task(many, task).test.labels.tolist()


def test_another_task_has_the_random_part_of_its_seed(digits: ImageDataset) -> None:
    sizes = set()
    for task in plan(range(40)):
        if not task.is_whole:
            part, same = part_of_task(digits, task), random_part(digits, task.seed)
            assert part.class_names == same.class_names
            assert part.train.labels.tolist() == same.train.labels.tolist()
            sizes.add((len(part.class_names), len(part.train)))
    assert len(sizes) > 5


def test_there_must_be_a_data_set() -> None:
    with pytest.raises(InvalidInput, match="at least one data set"):
        plan_task(0, [], LIMITS_S, 0)
