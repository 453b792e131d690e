"""Who there is in a cluster with an overlay: its own pods, pods of runs, Kubeflow's and others'."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import yaml

from scripts.manifests.bundle import MANIFESTS, Bundle, Document, namespace_of
from scripts.manifests.network import Party
from scripts.manifests.pods import Pod, pods
from scripts.manifests.selectors import NAME_LABEL

NAME = "app.kubernetes.io/name"
# What KFP and Argo put on every pod of a run.
OF_RUNS = {"workflows.argoproj.io/workflow": "any", "pipeline/runid": "any"}
# What a pipeline with a webhook for failed runs has on its last step (pipelines/pod_settings.py).
OF_LAST_STEP = {"nasoa/alerts": "true"}
# Addresses that no selector names: Kubernetes' API server, as a service and as a node, and others.
ADDRESSES = {
    "metadata-of-the-cloud": "169.254.169.254",
    "api-server": "10.96.0.1",
    "api-server-node": "192.168.1.10",
    "internet": "203.0.113.7",
}


def is_multi_user(bundle: Bundle) -> bool:
    """Whether the overlay is for a Kubeflow with users."""
    return any(document["kind"] == "Profile" for document in bundle.documents)


def surroundings(bundle: Bundle) -> dict[str, Any]:
    """What manifests/surroundings says of the overlay's mode."""
    mode = "multi-user" if is_multi_user(bundle) else "single-user"
    path = MANIFESTS / "surroundings" / f"{mode}.yaml"
    described: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return described


def policies(bundle: Bundle) -> list[Document]:
    """All network policies that apply."""
    own = [document for document in bundle.documents if document["kind"] == "NetworkPolicy"]
    return own + list(surroundings(bundle)["policies"])


def parties(bundle: Bundle) -> Iterator[Party]:
    """Everyone; a name may stand for several, one in each namespace of runs."""
    around = surroundings(bundle)
    labels = {
        document["metadata"]["name"]: document["metadata"].get("labels", {})
        for document in bundle.documents
        if document["kind"] == "Namespace"
    }
    labels = {
        name: {**given, NAME_LABEL: name}
        for name, given in {**around["namespaces"], **labels}.items()
    }
    for other in around["pods"]:
        namespace = other["namespace"]
        yield Party(other["name"], namespace, labels[namespace], other["labels"])
    for pod in pods(bundle):
        if pod.namespace and NAME in pod.labels:
            yield _own(pod, labels[pod.namespace])
    for account in bundle.documents:
        if account["kind"] == "ServiceAccount" and account["metadata"]["name"] == "nasoa-pipeline":
            namespace = namespace_of(account)
            yield Party("step", namespace, labels[namespace], OF_RUNS)
            yield Party("last-step", namespace, labels[namespace], OF_RUNS | OF_LAST_STEP)
    for name, address in ADDRESSES.items():
        yield Party(name, address=address)
    yield from _store_outside(bundle)


def _own(pod: Pod, namespace_labels: dict[str, str]) -> Party:
    ports = {
        port["name"]: port["containerPort"]
        for container in pod.containers
        for port in container.get("ports", ())
        if "name" in port
    }
    return Party(pod.labels[NAME], pod.namespace, namespace_labels, pod.labels, ports)


def _store_outside(bundle: Bundle) -> Iterator[Party]:
    """The address of a store that is not in the cluster: one that the bucket job may reach."""
    for policy in bundle.documents:
        if policy["kind"] == "NetworkPolicy" and policy["metadata"]["name"] == "create-bucket":
            for rule in policy["spec"]["egress"]:
                for peer in rule["to"]:
                    if "ipBlock" in peer:
                        network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
                        yield Party("store-outside", address=str(network[1]))
