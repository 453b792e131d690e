"""Images that may change, and containers without requests or limits."""

from __future__ import annotations

import pytest

from scripts.manifests.bundle import Bundle
from tests.manifests.breaking import (
    container,
    problems,
)
from tests.manifests.cluster_store import find


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("seaweedfs", "has no digest"),
        ("docker.io/chrislusf/seaweedfs:4.48", "has no digest, and no overlay sets it"),
        ("docker.io/chrislusf/seaweedfs:latest", "whatever was pushed last"),
        (f"docker.io/chrislusf/seaweedfs:latest@sha256:{'0' * 64}", "whatever was pushed last"),
        ("localhost:5000/seaweedfs", "has no digest"),
        (f"seaweedfs@sha256:{'0' * 63}", "has no digest"),
    ],
)
def test_images(single_user: Bundle, image: str, said: str) -> None:
    found = problems("images", single_user, lambda b: container(b).update(image=image))
    assert [said in line for line in found] == [True]


def test_an_image_of_the_train_job_counts(single_user_gpu: Bundle) -> None:
    trainer = find(single_user_gpu, "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    found = problems(
        "images", single_user_gpu, lambda _: trainer.update(image="registry.example.com/other:1")
    )
    assert len(found) == 1
    assert found[0].startswith("TrainJob kubeflow/pretrain-zoo")


@pytest.mark.parametrize("part", ["requests", "limits"])
@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_resources(single_user: Bundle, part: str, name: str) -> None:
    found = problems("resources", single_user, lambda b: container(b)["resources"][part].pop(name))
    assert [f"resources.{part}.{name} is missing" in line for line in found] == [True]


def test_gpus_are_requested_as_they_are_limited(single_user_gpu: Bundle) -> None:
    trainer = find(single_user_gpu, "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    limits = trainer["resourcesPerNode"]["limits"]
    found = problems("resources", single_user_gpu, lambda _: limits.update({"nvidia.com/gpu": "8"}))
    assert ["nvidia.com/gpu must be equal" in line for line in found] == [True]
