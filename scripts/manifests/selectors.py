"""Selectors find what they are for, and ports have the names that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.manifests.bundle import Bundle, Document, namespace_of, title
from scripts.manifests.pods import WORKLOADS, Pod, pods

NAME_LABEL = "kubernetes.io/metadata.name"


def check(bundle: Bundle) -> Iterator[str]:
    """Selectors that find nothing in their namespace, and targets that are no ports."""
    all_pods = list(pods(bundle))
    for document in bundle.documents:
        kind = document["kind"]
        spec = document.get("spec") or {}
        here = [pod for pod in all_pods if pod.namespace == namespace_of(document)]
        if kind in WORKLOADS and "selector" in spec:
            labels = spec["template"].get("metadata", {}).get("labels", {})
            if not matches(spec["selector"], labels):
                yield f"{title(document)}: its selector does not match its own pods' labels"
        elif kind == "Service" and spec.get("selector"):
            yield from _service_problems(document, here)
        elif kind == "PodMonitor":
            yield from _monitor_problems(document, here)
        elif kind == "PodDisruptionBudget":
            yield from _found(document, spec["selector"], here)
        elif kind == "NetworkPolicy":
            yield from _policy_problems(document, bundle, here)


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector finds these labels; an empty one finds all."""
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(rule, labels) for rule in selector.get("matchExpressions", ()))


def _holds(rule: dict[str, Any], labels: dict[str, str]) -> bool:
    present = rule["key"] in labels
    found = labels.get(rule["key"]) in rule.get("values", ())
    holds: dict[str, bool] = {
        "In": found,
        "NotIn": not found,
        "Exists": present,
        "DoesNotExist": not present,
    }
    return holds[rule["operator"]]


def _found(document: Document, selector: dict[str, Any], here: list[Pod]) -> Iterator[str]:
    if not any(matches(selector, pod.labels) for pod in here):
        yield f"{title(document)}: its selector finds no pod"


def _port_names(pods_found: list[Pod]) -> set[str]:
    return {
        port.get("name", "")
        for pod in pods_found
        for container in pod.containers
        for port in container.get("ports", ())
    }


def _service_problems(service: Document, here: list[Pod]) -> Iterator[str]:
    selector = {"matchLabels": service["spec"]["selector"]}
    found = [pod for pod in here if matches(selector, pod.labels)]
    if not found:
        yield f"{title(service)}: its selector finds no pod"
        return
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        if isinstance(target, str) and target not in _port_names(found):
            yield f"{title(service)}: targetPort {target!r} is no port of its pods"


def _monitor_problems(monitor: Document, here: list[Pod]) -> Iterator[str]:
    found = [pod for pod in here if matches(monitor["spec"]["selector"], pod.labels)]
    if not found:
        yield f"{title(monitor)}: its selector finds no pod"
        return
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        if endpoint["port"] not in _port_names(found):
            yield f"{title(monitor)}: {endpoint['port']!r} is no port of its pods"


def _policy_problems(policy: Document, bundle: Bundle, here: list[Pod]) -> Iterator[str]:
    """The policy's own pods, and those of this bundle that it lets through."""
    spec = policy["spec"]
    if spec["podSelector"]:
        yield from _found(policy, spec["podSelector"], here)
    peers = [
        *(peer for rule in spec.get("ingress", ()) for peer in rule.get("from", ())),
        *(peer for rule in spec.get("egress", ()) for peer in rule.get("to", ())),
    ]
    known = [*_own_namespaces(bundle), *_external_namespaces(bundle)]
    for peer in peers:
        if "podSelector" in peer and "namespaceSelector" not in peer:
            yield from _found(policy, peer["podSelector"], here)
        selector = peer.get("namespaceSelector", {})
        if selector and not any(matches(selector, labels) for labels in known):
            yield f"{title(policy)}: no namespace is found by {selector}"


def _own_namespaces(bundle: Bundle) -> list[dict[str, str]]:
    """Labels of the namespaces that the bundle makes; the name is one that Kubernetes sets."""
    return [
        {**document["metadata"].get("labels", {}), NAME_LABEL: document["metadata"]["name"]}
        for document in bundle.documents
        if document["kind"] == "Namespace"
    ]


def _external_namespaces(bundle: Bundle) -> list[dict[str, str]]:
    return [{NAME_LABEL: name} for kind, _, name in bundle.external if kind == "Namespace"]
