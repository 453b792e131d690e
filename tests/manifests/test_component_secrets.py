"""Each component has its secret, identity and policy, and the compiled pipelines name no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasoa.pipelines import catalogue
from nasoa.pipelines.demands import demands
from nasoa.pipelines.options import CompileOptions
from scripts.manifests.bundle import Bundle
from scripts.store_secrets import IDENTITIES, Namespaces, new_keys, store_secrets
from tests.manifests.cluster_store import NAMESPACES

COMPONENTS = sorted(
    path.stem.replace("_", "-")
    for path in (Path(__file__).resolve().parents[2] / "components").glob("*.py")
    if path.stem not in ("__init__", "image")
)
SECRETS = {f"nasoa-s3-{component}" for component in COMPONENTS}


@pytest.fixture(scope="module")
def named() -> dict[str, set[str]]:
    """The secrets that the compiled pipelines name, each with the keys that are read of it."""
    found: dict[str, set[str]] = {}
    options = CompileOptions(data_claim="nasoa-data-cache")
    for pipeline in catalogue.PIPELINES:
        for demand in demands(pipeline, {}, options):
            assert demand.secrets, demand.step
            for secret, held in demand.secrets.items():
                found.setdefault(secret, set()).update(held)
    return found


def test_the_compiled_pipelines_name_each_component_s_secret(named: dict[str, set[str]]) -> None:
    assert set(named) == SECRETS


def test_the_script_makes_each_with_its_keys(named: dict[str, set[str]]) -> None:
    names = [line.split()[0] for line in IDENTITIES.read_text(encoding="utf-8").splitlines()]
    keys = {name: new_keys() for name in names}
    made = {
        secret["metadata"]["name"]: secret["stringData"]
        for secret in store_secrets(keys, new_keys(), "http://s3", NAMESPACES)
        if secret["metadata"]["namespace"] == "kubeflow"
    }
    assert {name: set(made[name]) for name in named} == named


def test_the_vault_brings_each_with_its_keys(
    built: dict[str, Bundle], named: dict[str, set[str]]
) -> None:
    brought = {
        document["spec"]["target"]["name"]: {item["secretKey"] for item in document["spec"]["data"]}
        for document in built["multi-user-full"].documents
        if document["kind"] == "ExternalSecret"
        and document["metadata"]["namespace"] in ("nasoa", "nasoa-search")
    }
    assert {name: brought[name] for name in named} == named


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_has_a_policy_of_its_own(policies: dict[str, str], component: str) -> None:
    rows = dict(line.split(maxsplit=1) for line in policies["identities"].splitlines())
    assert rows[f"nasoa-s3-{component}"].split() == ["doctor", component]
    assert f"{component}.json" in policies


@pytest.mark.parametrize("pipeline", catalogue.PIPELINES)
def test_a_namespace_has_the_secrets_of_its_pipelines(pipeline: str) -> None:
    """Users' tasks in one, all other pipelines in another (docs/cluster.md)."""
    namespaces = Namespaces("tasks", "search", "store")
    runs_in = "tasks" if pipeline.startswith("finetune_") else "search"
    for demand in demands(pipeline, {}):
        for secret in demand.secrets:
            assert runs_in in namespaces.of(secret), (demand.step, secret)


def test_the_doctor_may_read_them_and_no_other(built: dict[str, Bundle]) -> None:
    """But for the one that serves all steps of a task, and the one with a webhook's address."""
    for bundle in built.values():
        for role in bundle.documents:
            if (role["kind"], role["metadata"]["name"]) == ("Role", "nasoa-doctor"):
                (of_secrets,) = (rule for rule in role["rules"] if "secrets" in rule["resources"])
                assert of_secrets["verbs"] == ["get"]
                assert set(of_secrets["resourceNames"]) == {*SECRETS, "nasoa-s3", "nasoa-alerts"}
