"""Names of tasks: which fine-tunes belong to the same task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nasoa.errors import InvalidInput
from nasoa.online.predictor.experience_rows import Codes
from nasoa.online.task.task_name import collected_names, source_of, task_name
from nasoa.records import CollectedRecord, Experience, Regime

RunMaker = Callable[..., Experience]


def test_a_data_set_is_a_task_whatever_its_split(run: RunMaker, regime: Regime) -> None:
    task = run(regime, 0.5).task
    again = replace(task, task_id="u", seed=7, num_train=1290, num_val=110, time_limit_s=5.0)
    assert task_name(again) == task_name(task)
    for other in (
        replace(task, dataset="birds"),
        replace(task, class_names=("cat", "dogs")),
        replace(task, class_names=("ca", "tdog")),
        replace(task, num_test=201),
    ):
        assert task_name(other) != task_name(task)


def record(dataset: str, run_id: str, num_classes: int, num_images: int) -> CollectedRecord:
    return CollectedRecord(
        dataset=dataset, run_id=run_id, num_classes=num_classes, num_images=num_images,
        mean_images_per_class=1.0, std_images_per_class=0.0, domain_similarity=0.9,
        landmark_accuracy=None, image_resolution=32, mirror_safe=True, model="m",
        model_family="f", model_params=1, model_macs=1, model_activations=1, model_resolution=32,
        model_source="s", model_source_classes=2, model_source_accuracy=0.5, lr=0.1,
        lr_schedule="cosine", frozen_stages=0, cached_features=False, iterations=10,
        batch_size=32, resolution=32, accuracy=0.5, val_accuracy=0.5, elapsed_s=1.0,
        ended="iterations", num_test=10, seed=0, hardware="cpu", code_version="0",
    )  # fmt: skip


def test_parts_of_a_data_set() -> None:
    """All classes and equally many images are one task; a subset of classes is a separate task."""
    names = collected_names(
        [
            record("a", "a-1", 10, 500),
            record("a", "a-2", 10, 500),
            record("a", "a-3", 10, 80),
            record("a", "a-4", 3, 500),
            record("a", "a-5", 3, 500),
            record("a", "a-5", 3, 500),
            record("b", "b-1", 3, 500),
            record("b", "b-2", 3, 500),
        ]
    )
    assert names[0] == names[1]
    assert names[4] == names[5]
    assert names[6] == names[7]
    assert len(set(names)) == 5


@pytest.mark.parametrize(
    ("dataset", "source"),
    [
        ("houses4", "houses4"),
        ("houses4_224", "houses4"),
        ("cifar224", "cifar224"),
        ("pacs_224_photo", "pacs_224_photo"),
    ],
)
def test_a_part_is_of_the_data_set_that_it_is_named_after(dataset: str, source: str) -> None:
    assert source_of(dataset) == source


def test_codes_that_are_no_names() -> None:
    with pytest.raises(InvalidInput, match="names as JSON"):
        Codes.from_state(Codes(["a"]).state()[:-1])
    assert Codes.from_state(Codes(["b", "a"]).state()).get("a") == 1
