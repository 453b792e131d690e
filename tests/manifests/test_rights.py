"""Rights that are too wide."""

from __future__ import annotations

from pathlib import Path

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
def test_rights(single_user: Bundle, broken: Break, said: str) -> None:
    found = problems("rights", single_user, broken)
    assert any(said in line for line in found), found


def test_the_doctor_may_read_the_secret_of_each_component(single_user: Bundle) -> None:
    (rule,) = (
        rule
        for rule in find(single_user, "Role", "nasoa-doctor")["rules"]
        if rule["resources"] == ["secrets"]
    )
    components = Path(__file__).resolve().parents[2] / "components"
    stems = {path.stem for path in components.glob("*.py")} - {"__init__", "image"}
    named = {f"nasoa-s3-{stem.replace('_', '-')}" for stem in stems}
    assert named <= set(rule["resourceNames"])
    assert rule["verbs"] == ["get"]
