"""Every needed pair is open and every other closed; taking one policy or label away shows."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from scripts.manifests.bundle import Bundle
from scripts.manifests.pods import JOBSET_NAME
from scripts.manifests.reachability import ROWS, pairs
from tests.manifests.breaking import Break, problems
from tests.manifests.cluster_store import find


def asked(bundle: Bundle) -> set[tuple[str, str]]:
    return {(str(source), str(target)) for _, source, target, _ in pairs(bundle)}


def test_no_row_is_idle(built: dict[str, Bundle]) -> None:
    """Each asks about somebody, in some overlay."""
    used = {row for bundle in built.values() for row, *_ in pairs(bundle)}
    assert [row for row in ROWS if row not in used] == []


@pytest.mark.parametrize(
    ("overlay", "namespaces", "store"),
    [
        ("single-user", ["kubeflow"], "nasoa-store/seaweedfs"),
        ("single-user-gpu", ["kubeflow"], "store-outside"),
        ("multi-user", ["nasoa", "nasoa-search"], "nasoa-store/seaweedfs"),
        ("multi-user-gpu", ["nasoa", "nasoa-search"], "store-outside"),
    ],
)
def test_runs_are_asked_about_where_they_are(
    built: dict[str, Bundle], overlay: str, namespaces: list[str], store: str
) -> None:
    targets = ("kubeflow/metadata-grpc-server", "kubeflow/ml-pipeline", "kubeflow/kfp-artifacts")
    found = asked(built[overlay])
    for namespace in namespaces:
        for target in (*targets, "api-server", "kube-system/dns", store):
            assert (f"{namespace}/step", target) in found


def test_the_store_s_port_is_that_of_its_address(built: dict[str, Bundle]) -> None:
    for overlay, expected in (("single-user", 8333), ("multi-user-gpu", 443)):
        ports = {port for row, *_, port in pairs(built[overlay]) if row.target == "store"}
        assert ports == {expected}


def remove(kind: str, name: str, namespace: str) -> Break:
    return lambda b: b.documents.remove(find(b, kind, name, namespace))


def spec(bundle: Bundle, name: str, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = find(bundle, "NetworkPolicy", name, namespace)["spec"]
    return found


def any_job(bundle: Bundle) -> None:
    """Let in whatever is a pretraining."""
    policy = spec(bundle, "pretrain-zoo", "nasoa-search")
    for selector in (
        policy["podSelector"],
        policy["ingress"][0]["from"][0]["podSelector"],
        policy["egress"][0]["to"][0]["podSelector"],
    ):
        del selector["matchLabels"][JOBSET_NAME]


@pytest.mark.parametrize(
    ("overlay", "broken", "said"),
    [
        # A label of ours over Kubeflow's.
        (
            "multi-user",
            lambda b: find(b, "Namespace", "nasoa")["metadata"]["labels"].update(
                {"app.kubernetes.io/part-of": "nasoa"}
            ),
            ["metadata-grpc-server on TCP 8080", "ml-pipeline on TCP 8887", "kfp-artifacts"],
        ),
        ("multi-user", remove("NetworkPolicy", "allow-kfp", "nasoa"), ["ml-pipeline on TCP 8887"]),
        ("multi-user", remove("NetworkPolicy", "allow-dns", "nasoa"), ["kube-system/dns on UDP"]),
        (
            "multi-user",
            remove("NetworkPolicy", "allow-api-server", "nasoa-search"),
            ["nasoa-search/step must reach api-server on TCP 443", "api-server-node on TCP 6443"],
        ),
        (
            "multi-user",
            remove("NetworkPolicy", "deny", "nasoa"),
            ["somebody/stranger must not reach nasoa/step on TCP 8080"],
        ),
        # The store lets in the namespaces of the other mode.
        (
            "single-user",
            remove("NetworkPolicy", "seaweedfs-runs", "nasoa-store"),
            ["kubeflow/step must reach nasoa-store/seaweedfs on TCP 8333"],
        ),
        (
            "single-user",
            lambda b: spec(b, "seaweedfs-runs", "nasoa-store")["ingress"][0]["from"][0].pop(
                "podSelector"
            ),
            ["kubeflow/ml-pipeline must not reach nasoa-store/seaweedfs on TCP 8333"],
        ),
        (
            "single-user",
            lambda b: spec(b, "seaweedfs-runs", "nasoa-store")["ingress"][0].pop("ports"),
            ["kubeflow/step must not reach nasoa-store/seaweedfs on TCP 9333"],
        ),
        (
            "multi-user-gpu",
            remove("NetworkPolicy", "pretrain-zoo", "nasoa-search"),
            ["must reach nasoa-search/another pretrain-zoo on TCP 29500"],
        ),
        ("multi-user-gpu", any_job, ["must not reach nasoa-search/another job's pretrain-zoo"]),
        # Tenants: one that the store does not let in, and one that all others reach.
        (
            "multi-user-tenants",
            remove("NetworkPolicy", "seaweedfs-runs-example", "nasoa-store"),
            ["nasoa-example/step must reach nasoa-store/seaweedfs on TCP 8333"],
        ),
        (
            "multi-user-tenants",
            remove("NetworkPolicy", "deny", "nasoa-example"),
            [
                "somebody/stranger must not reach nasoa-example/step on TCP 8080",
                "kubeflow/ml-pipeline must not reach nasoa-example/step on TCP 8080",
            ],
        ),
        # A webhook for failed runs: for the pods that call it, on its port, and outside alone.
        (
            "multi-user-full",
            lambda b: spec(b, "allow-alerts", "nasoa")["podSelector"].clear(),
            ["nasoa/step must not reach internet on TCP 443"],
        ),
        (
            "multi-user-full",
            lambda b: spec(b, "allow-alerts", "nasoa-search").update(egress=[]),
            ["nasoa-search/last-step must reach internet on TCP 443"],
        ),
        (
            "multi-user-full",
            lambda b: spec(b, "allow-alerts", "nasoa")["egress"][0].pop("ports"),
            ["nasoa/last-step must not reach internet on TCP 80"],
        ),
        (
            "single-user-full",
            lambda b: spec(b, "allow-alerts", "kubeflow")["egress"][0]["to"][0]["ipBlock"].pop(
                "except"
            ),
            ["kubeflow/reconcile-runs must not reach metadata-of-the-cloud on TCP 443"],
        ),
        # In KFP's namespace it must not select pods of runs, which it would close.
        (
            "single-user-full",
            lambda b: spec(b, "allow-alerts", "kubeflow")["podSelector"]["matchLabels"].pop(
                "app.kubernetes.io/part-of"
            ),
            ["kubeflow/last-step must reach kubeflow/metadata-grpc-server on TCP 8080"],
        ),
        (
            "single-user-full",
            lambda b: spec(b, "allow-alerts", "kubeflow").update(
                podSelector={"matchLabels": {"nasoa/alerts": "yes"}}
            ),
            ["kubeflow/reconcile-runs must reach internet on TCP 443"],
        ),
        (
            "single-user-gpu",
            remove("NetworkPolicy", "nasoa-pods", "kubeflow"),
            ["kubeflow/pretrain-zoo must reach kube-system/dns on UDP 53"],
        ),
        (
            "single-user-gpu",
            lambda b: spec(b, "allow-store", "kubeflow").update(egress=[{}]),
            ["kubeflow/compact-experience must not reach internet on TCP 443"],
        ),
        (
            "single-user-full",
            lambda b: spec(b, "seaweedfs", "nasoa-store")["ingress"].pop(),
            ["monitoring/prometheus must reach nasoa-store/seaweedfs on TCP 9327"],
        ),
    ],
)
def test_what_is_broken_is_found(
    built: dict[str, Bundle], overlay: str, broken: Break, said: list[str]
) -> None:
    found = problems("reachability", copy.deepcopy(built[overlay]), broken)
    for text in said:
        assert any(text in line for line in found), (text, found)
