"""Ask an API server in a dry run (`dryRun=All`) whether it would accept a pod or a manifest.

Nothing is created, but Pod Security, quotas, limits, priority classes and webhooks answer as they
would otherwise. A dry run needs the permissions of the real request; if they are missing, the
finding reports it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError

from nasoa.errors import InvalidInput
from nasoa.pipelines import step_pods
from nasoa.pipelines.demands import Demand
from nasoa.pipelines.kubernetes_reading import TIMEOUT_S, Kubernetes
from nasoa.pipelines.yaml_files import documents
from nasoa.scratch import ScratchFolder
from nasoa.steps.health import Finding

MANAGER = "nasoa-doctor"
_NO_RIGHT = re.compile(r"cannot (?:create|patch) resource")
_NO_NAMESPACE = re.compile(r'namespaces "([^"]+)" not found')
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class Said:
    """The answer of an API server.

    Args:
        accepted: whether the object would be accepted.
        is_known: False if permission to ask is missing, or the server cannot answer yet.
        text: the answer in one line; empty if accepted without a warning.
    """

    accepted: bool
    text: str
    is_known: bool = True


def check_pods(
    kubernetes: Kubernetes, namespace: str, account: str, wanted: Sequence[Demand]
) -> list[Finding]:
    """Return a finding for each step's pod, and one for KFP's drivers.

    Args:
        kubernetes: the cluster.
        namespace: namespace of the pods.
        account: service account of the run.
        wanted: what the steps request.
    """
    findings: list[Finding] = []
    known: dict[str, Said] = {}
    for subject, spec, metadata in _pods(wanted):
        pod = step_pods.document(spec, metadata, account)
        text = json.dumps(pod, sort_keys=True)
        said = known.get(text) or known.setdefault(text, _ask_for_pod(kubernetes, namespace, pod))
        if not said.is_known:
            detail = f"not checked: {said.text}"
            return [*findings, Finding(subject="pods", ok=True, detail=detail)]
        detail = said.text or f"the API server would create it in {namespace}"
        findings.append(Finding(subject=subject, ok=said.accepted, detail=detail))
    return findings


def _pods(wanted: Sequence[Demand]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    if wanted:
        yield "pod of KFP's drivers", step_pods.driver_pod(), {}
    seen = set()
    for demand in wanted:
        subject = f"pod {demand.pipeline}/{demand.step}"
        if demand.pod and subject not in seen:
            seen.add(subject)
            yield subject, demand.pod, demand.metadata


def _ask_for_pod(kubernetes: Kubernetes, namespace: str, pod: Mapping[str, Any]) -> Said:
    def create() -> Any:
        return client.CoreV1Api(kubernetes.api).create_namespaced_pod_with_http_info(
            namespace, pod, dry_run="All", field_manager=MANAGER, _request_timeout=TIMEOUT_S
        )[2]

    return _asked(create)


def _asked(call: Any) -> Said:
    """Return the answer to a call that returns the response headers on success."""
    try:
        headers = call()
    except ApiException as error:
        return _refusal(error)
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return Said(accepted=False, is_known=False, text=f"{type(error).__name__}, no answer")
    warnings = _WARNING.findall(headers.get("Warning") or headers.get("warning") or "")
    return Said(accepted=True, text="; ".join(f"warning: {text}" for text in warnings))


def _refusal(error: ApiException) -> Said:
    text = _message(error)
    if error.status in (401, 403) and (_NO_RIGHT.search(text) or error.status == 401):
        return Said(accepted=False, is_known=False, text=text)
    missing = _NO_NAMESPACE.search(text)
    if error.status == 404 and missing:
        why = f"the namespace {missing[1]} does not exist yet, so nothing in it can be checked"
        return Said(accepted=False, is_known=False, text=why)
    return Said(accepted=False, text=text)


def _message(error: ApiException) -> str:
    """Return the API server's message in one line."""
    try:
        said = json.loads(error.body or "").get("message")
    except (ValueError, AttributeError):
        said = None
    return " ".join(str(said or f"refused with {error.status} {error.reason}").split())


def check_manifests(kubernetes: Kubernetes, files: Sequence[Path]) -> list[Finding]:
    """Return a finding for each document of these files, which `make manifests` writes.

    Raises:
        InvalidInput: a file cannot be read, or is not YAML with Kubernetes objects.
    """
    documents = [document for file in files for document in _read(file)]
    if not documents:
        return []
    # The library caches what it discovers about an API in a file.
    with ScratchFolder() as folder:
        try:
            api = dynamic.DynamicClient(kubernetes.api, cache_file=str(folder / "api.json"))
        except (ApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            detail = f"not checked: discovery of the API failed ({type(error).__name__})"
            return [Finding(subject="manifests", ok=False, detail=detail)]
        return [_manifest(api, document) for document in documents]


def _manifest(api: Any, document: Mapping[str, Any]) -> Finding:
    metadata = document["metadata"]
    where = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    subject = f"{document['kind']} {where}"
    try:
        kind = api.resources.get(api_version=document["apiVersion"], kind=document["kind"])
    except (ResourceNotFoundError, ResourceNotUniqueError):
        detail = (
            f"the cluster does not know {document['apiVersion']} {document['kind']}; install what "
            "defines it, or leave out the component that needs it"
        )
        return Finding(subject=subject, ok=False, detail=detail)

    def apply() -> Any:
        return kind.server_side_apply(
            body=dict(document),
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            force_conflicts=True,
            field_manager=MANAGER,
            dry_run="All",
            serialize=False,
            _request_timeout=TIMEOUT_S,
        ).getheaders()

    said = _asked(apply)
    if not said.is_known:
        return Finding(subject=subject, ok=True, detail=f"not checked: {said.text}")
    return Finding(subject=subject, ok=said.accepted, detail=said.text or "would be applied")


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        given = documents(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"expected a file of manifests, but {file}: {error.strerror}") from None
    except ValueError:  # `NotYaml`, or bytes that are not UTF-8
        raise InvalidInput(f"expected YAML in {file}; make manifests writes such files") from None
    found = [document for document in given if document is not None]
    for document in found:
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= set(
            document
        ):
            raise InvalidInput(f"expected Kubernetes objects in {file}, got {document!r:.60}")
    return found
