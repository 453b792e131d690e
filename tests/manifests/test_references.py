"""Whatever is named and does not exist."""

from __future__ import annotations

import pytest

from scripts.manifests.bundle import Bundle
from scripts.manifests.checks import CHECKS
from tests.manifests.breaking import (
    container,
    pod,
    problems,
)
from tests.manifests.cluster_store import find


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("ServiceAccount", "nasoa-store", "ServiceAccount nasoa-store/nasoa-store does not exist"),
        ("PriorityClass", "nasoa-online", "PriorityClass nasoa-online does not exist"),
        ("ConfigMap", "nasoa-bucket-script", "ConfigMap nasoa-store/nasoa-bucket-script does not"),
        ("Namespace", "nasoa-store", "Namespace nasoa-store does not exist"),
        ("Role", "nasoa-pipeline", "Role nasoa/nasoa-pipeline does not exist"),
        ("ClusterRole", "nasoa-doctor", "ClusterRole nasoa-doctor does not exist"),
    ],
)
def test_references(local: Bundle, kind: str, name: str, said: str) -> None:
    removed = find(local, kind, name)
    found = problems("references", local, lambda b: b.documents.remove(removed))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("PersistentVolumeClaim", "nasoa-data-cache", "nasoa/nasoa-data-cache does not exist"),
        ("ClusterTrainingRuntime", "nasoa-torchrun", "nasoa-torchrun does not exist"),
        ("ConfigMap", "nasoa-settings", "ConfigMap nasoa/nasoa-settings does not exist"),
    ],
)
def test_references_of_the_train_job(gpu: Bundle, kind: str, name: str, said: str) -> None:
    removed = find(gpu, kind, name)
    found = problems("references", gpu, lambda b: b.documents.remove(removed))
    assert any(line.startswith("TrainJob nasoa/pretrain-zoo: ") for line in found), found
    assert all(said in line for line in found), found


def test_a_secret_that_nobody_declared(local: Bundle) -> None:
    volume = {"name": "v", "secret": {"secretName": "forgotten"}}
    found = problems("references", local, lambda b: pod(b)["volumes"].append(volume))
    assert ["Secret nasoa-store/forgotten does not exist" in line for line in found] == [True]


def test_a_key_that_a_secret_does_not_hold(local: Bundle) -> None:
    variable = container(local)["env"][1]
    found = problems(
        "references", local, lambda _: variable["valueFrom"]["secretKeyRef"].update(key="PASSWORD")
    )
    assert ["Secret nasoa-store/nasoa-s3-admin has no key 'PASSWORD'" in f for f in found] == [True]


def test_a_vault_that_nobody_declared(built: dict[str, Bundle]) -> None:
    bundle = built["gpu-external-secrets"]
    undeclared = Bundle(bundle.documents, {}, bundle.image_entries)
    found = list(CHECKS["references"](undeclared))
    assert found
    assert all("ClusterSecretStore nasoa-vault does not exist" in line for line in found)
