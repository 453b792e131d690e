"""Rights that are too wide."""

from __future__ import annotations

import pytest

from scripts.manifests.bundle import Bundle
from tests.manifests.breaking import (
    Break,
    problems,
    role,
)
from tests.manifests.cluster_store import find


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda b: role(b).update(verbs=["*"]), "verbs has a wildcard"),
        (lambda b: role(b).update(resources=["*"]), "resources has a wildcard"),
        (lambda b: role(b).update(apiGroups=["*"]), "apiGroups has a wildcard"),
        (lambda b: role(b).update(resources=["pods/*"]), "resources has a wildcard"),
        (lambda b: role(b).update(resources=["secrets"]), "without resourceNames"),
        (
            lambda b: role(b).update(resources=["secrets"], resourceNames=["a"], verbs=["list"]),
            "must not be listed",
        ),
        (lambda b: role(b).update(verbs=["escalate"]), "the verb escalate"),
        (lambda b: role(b).update(resources=["pods/exec"]), "pods/exec lets its holder"),
        (
            lambda b: find(b, "RoleBinding", "nasoa-pipeline")["subjects"][0].update(
                name="default"
            ),
            "bind a service account made for this",
        ),
        (
            lambda b: find(b, "ClusterRoleBinding", "nasoa-doctor")["roleRef"].update(
                name="cluster-admin"
            ),
            "cluster-admin may do far too much",
        ),
    ],
)
def test_rights(local: Bundle, broken: Break, said: str) -> None:
    found = problems("rights", local, broken)
    assert any(said in line for line in found), found
