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
        ("Role", "nasoa-pipeline", "Role kubeflow/nasoa-pipeline does not exist"),
        ("ClusterRole", "nasoa-doctor", "ClusterRole nasoa-doctor does not exist"),
    ],
)
def test_references(single_user: Bundle, kind: str, name: str, said: str) -> None:
    removed = find(single_user, kind, name)
    found = problems("references", single_user, lambda b: b.documents.remove(removed))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("PersistentVolumeClaim", "nasoa-data-cache", "kubeflow/nasoa-data-cache does not exist"),
        ("ClusterTrainingRuntime", "nasoa-torchrun", "nasoa-torchrun does not exist"),
        ("ConfigMap", "nasoa-settings", "ConfigMap kubeflow/nasoa-settings does not exist"),
    ],
)
def test_references_of_the_train_job(
    single_user_gpu: Bundle, kind: str, name: str, said: str
) -> None:
    removed = find(single_user_gpu, kind, name)
    found = problems("references", single_user_gpu, lambda b: b.documents.remove(removed))
    assert any(line.startswith("TrainJob kubeflow/pretrain-zoo: ") for line in found), found
    assert all(said in line for line in found), found


def test_a_secret_that_nobody_declared(single_user: Bundle) -> None:
    volume = {"name": "v", "secret": {"secretName": "forgotten"}}
    found = problems("references", single_user, lambda b: pod(b)["volumes"].append(volume))
    assert ["Secret nasoa-store/forgotten does not exist" in line for line in found] == [True]


def test_a_key_that_a_secret_does_not_hold(single_user: Bundle) -> None:
    variable = container(single_user)["env"][1]
    found = problems(
        "references",
        single_user,
        lambda _: variable["valueFrom"]["secretKeyRef"].update(key="PASSWORD"),
    )
    assert ["Secret nasoa-store/nasoa-s3-admin has no key 'PASSWORD'" in f for f in found] == [True]


def test_a_vault_that_nobody_declared(built: dict[str, Bundle]) -> None:
    bundle = built["multi-user-full"]
    external = {key: held for key, held in bundle.external.items() if key[0] == "Namespace"}
    undeclared = Bundle(bundle.documents, external, bundle.image_entries)
    found = list(CHECKS["references"](undeclared))
    of_vault = [line for line in found if line.startswith("ExternalSecret ")]
    assert of_vault
    assert all("ClusterSecretStore nasoa-vault does not exist" in line for line in of_vault)


def test_a_pull_secret_that_nobody_declared(single_user_gpu: Bundle) -> None:
    account = find(single_user_gpu, "ServiceAccount", "nasoa-pipeline")
    pull_secrets = account["imagePullSecrets"]
    found = problems(
        "references", single_user_gpu, lambda _: pull_secrets.append({"name": "forgotten"})
    )
    assert ["Secret kubeflow/forgotten does not exist" in line for line in found] == [True]
