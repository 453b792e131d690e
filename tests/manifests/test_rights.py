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


@pytest.mark.parametrize(
    ("overlay", "name", "accounts"),
    [
        ("single-user", "nasoa-doctor", {"kubeflow"}),
        ("multi-user", "nasoa-doctor-retries", {"nasoa", "nasoa-search"}),
    ],
)
def test_the_doctor_may_read_what_argo_tries_again(
    built: dict[str, Bundle], overlay: str, name: str, accounts: set[str]
) -> None:
    """The ConfigMap of Argo's controller is in KFP's namespace in both modes."""
    wanted = "workflow-controller-configmap"
    granting = [
        rule
        for rule in find(built[overlay], "Role", name, "kubeflow")["rules"]
        if "configmaps" in rule["resources"] and wanted in rule.get("resourceNames", [wanted])
    ]
    assert any("get" in rule["verbs"] for rule in granting)
    binding = find(built[overlay], "RoleBinding", name, "kubeflow")
    assert binding["roleRef"]["name"] == name
    assert {subject["name"] for subject in binding["subjects"]} == {"nasoa-doctor"}
    found = {subject.get("namespace", "kubeflow") for subject in binding["subjects"]}
    assert found == accounts


@pytest.mark.parametrize("overlay", ["single-user", "multi-user-full"])
def test_no_account_of_ours_may_make_pods(built: dict[str, Bundle], overlay: str) -> None:
    """Who may has all secrets of the namespace; the doctor's dry runs take a person's rights."""
    for document in built[overlay].documents:
        for rule in document.get("rules") or () if "Role" in document["kind"] else ():
            assert not ("pods" in rule["resources"] and "create" in rule["verbs"])


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
