"""The account nasoa-doctor may read what the doctor reads, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from nasoa.cli import main
from nasoa.pipelines import catalogue, transport
from nasoa.pipelines.options import CompileOptions
from scripts.manifests.bundle import Bundle, namespace_of
from tests.manifests.cluster_store import find
from tests.manifests.test_reconciling import RIGHTS
from tests.pipelines.http_server import Request, serving
from tests.pipelines.kfp_api import operation
from tests.pipelines.kfp_server import KfpServer
from tests.pipelines.kubernetes_server import KubernetesServer, kubeconfig, what_is_asked

PIPELINES_GROUP = "pipelines.kubeflow.org"
CLAIM = "nasoa-data-cache"
# By overlay, where the runs are that the doctor looks at.
WHERE = {"single-user-gpu": "kubeflow", "multi-user-gpu": "nasoa-search"}


@dataclass(frozen=True)
class Asked:
    """A right that the doctor uses; `namespace` is empty for what has none."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str


def rules(bundle: Bundle, namespace: str, account: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rules that the account nasoa-doctor of a namespace has, each with where it holds."""
    for binding in bundle.documents:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        within = namespace_of(binding)
        subjects = {(s["name"], s.get("namespace", within)) for s in binding["subjects"]}
        if (account, namespace) in subjects:
            reference = binding["roleRef"]
            role = find(bundle, reference["kind"], reference["name"], within or None)
            yield from ((within, rule) for rule in role["rules"])


def allows(where: str, rule: dict[str, Any], asked: Asked) -> bool:
    return (
        where in ("", asked.namespace)
        and asked.group in rule["apiGroups"]
        and asked.resource in rule["resources"]
        and asked.verb in rule["verbs"]
        and asked.name in rule.get("resourceNames", [asked.name])
    )


@pytest.fixture
def looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Let the doctor look at a cluster in order; it asks for these rights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transport.Patience, "wait", lambda self, seconds: None)
    built = catalogue.build("search_generation", CompileOptions(data_claim=CLAIM))
    monkeypatch.setattr(catalogue, "PIPELINES", {"search_generation": built})
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def look(namespace: str, secrets: list[str]) -> set[Asked]:
        kubernetes, kfp = KubernetesServer(), KfpServer(multi_user=namespace != "kubeflow")
        kubernetes.namespaces |= {namespace}
        held = dict.fromkeys(
            ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY", "NASOA_S3_ENDPOINT"), "x"
        )
        kubernetes.secrets = dict.fromkeys(secrets, held)
        kubernetes.claims = {CLAIM: ("Bound", ["ReadWriteMany"])}
        kubernetes.forbidden = {"create pods"}  # the account may not, and is told so
        arguments = ["--store", str(tmp_path), "--json"]
        with serving(kubernetes) as address, serving(kfp) as host:
            path = tmp_path / "kubeconfig"
            path.write_text(yaml.safe_dump(kubeconfig(address, "token")))
            monkeypatch.setenv("KUBECONFIG", str(path))
            where = ["--host", host, *(["--namespace", namespace] if kfp.multi_user else [])]
            main(["doctor", "--cluster", *where, *arguments])
        findings = json.loads(capsys.readouterr().out)
        # A folder is no store for pods; all else is in order.
        assert [f["subject"] for f in findings if not f["ok"]] == ["bucket"]
        of_kubernetes = {as_right(r) for r in kubernetes.requests if r.method == "GET"}
        of_kfp = {at_kfp(request, namespace) for request in kfp.requests} - {None}
        return of_kubernetes | (of_kfp if kfp.multi_user else set())  # type: ignore[arg-type]

    return look


def as_right(request: Request) -> Asked:
    namespace, resource, verb, name = what_is_asked(request)
    return Asked(namespace, "", resource, verb, name)


def at_kfp(request: Request, namespace: str) -> Asked | None:
    """What KFP with users asks Kubernetes about a request; it tells everybody how it is."""
    if request.path.endswith("/healthz"):
        return None
    found = operation(request.method, request.path)
    assert found is not None, request.path
    resource, verb = RIGHTS[found[0].name]
    return Asked(namespace, PIPELINES_GROUP, resource, verb, "")


def test_its_rights_are_what_it_asks_for(built: dict[str, Bundle], looked: Any) -> None:
    used: set[tuple[str, str, str]] = set()
    granted: set[tuple[str, str, str]] = set()
    for overlay, namespace in WHERE.items():
        has = list(rules(built[overlay], namespace, "nasoa-doctor"))
        secrets = [n for _, r in has if r["resources"] == ["secrets"] for n in r["resourceNames"]]
        asked = looked(namespace, secrets)
        refused = [a for a in asked if not any(allows(where, rule, a) for where, rule in has)]
        assert refused == [], overlay
        used |= {(a.group, a.resource, a.verb) for a in asked}
        granted |= {
            (group, resource, verb)
            for _, rule in has
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
    assert granted == used
