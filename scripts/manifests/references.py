"""Whatever is named exists in the bundle, or is declared in manifests/external.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.manifests.bundle import Bundle, Document, Key, key_of, namespace_of, title
from scripts.manifests.pods import Pod, pods

BUILT_IN_PRIORITIES = {"system-cluster-critical", "system-node-critical"}


def check(bundle: Bundle) -> Iterator[str]:
    """Dangling references, and keys that a Secret or ConfigMap does not hold."""
    known = _known(bundle)
    for pod in pods(bundle):
        # A cluster-wide runtime has no namespace; the jobs that use it are checked.
        if pod.namespace:
            for reference, name in _of_pod(pod):
                yield from _problem(pod.where, reference, name, known)
    for document in bundle.documents:
        for reference in _of_document(document):
            yield from _problem(title(document), reference, "", known)


def _problem(
    where: str, reference: Key, key: str, known: dict[Key, frozenset[str]]
) -> Iterator[str]:
    kind, namespace, name = reference
    shown = f"{namespace}/{name}" if namespace else name
    if reference not in known:
        yield (
            f"{where}: {kind} {shown} does not exist; "
            "make it, or declare it in manifests/external.yaml"
        )
    elif key and key not in known[reference]:
        yield f"{where}: {kind} {shown} has no key {key!r}"


def _known(bundle: Bundle) -> dict[Key, frozenset[str]]:
    """Every object that there is, with the keys it holds."""
    known = dict(bundle.external)
    for document in bundle.documents:
        holds = {*document.get("data", {}), *document.get("binaryData", {})}
        known[key_of(document)] = frozenset(holds | set(document.get("stringData", {})))
        if document["kind"] == "ExternalSecret":
            spec = document["spec"]
            name = spec.get("target", {}).get("name", document["metadata"]["name"])
            keys = frozenset(item["secretKey"] for item in spec.get("data", ()))
            known["Secret", namespace_of(document), name] = keys
    return known


def _of_pod(pod: Pod) -> Iterator[tuple[Key, str]]:
    """What a pod refers to, and the key it asks for there ("" for the whole)."""
    spec, namespace = pod.spec, pod.namespace
    yield ("ServiceAccount", namespace, spec.get("serviceAccountName", "default")), ""
    priority = spec.get("priorityClassName")
    if priority and priority not in BUILT_IN_PRIORITIES:
        yield ("PriorityClass", "", priority), ""
    for pull_secret in spec.get("imagePullSecrets", ()):
        yield ("Secret", namespace, pull_secret["name"]), ""
    for volume in spec.get("volumes", ()):
        yield from _of_volume(volume, namespace)
    for container in pod.containers:
        for variable in container.get("env", ()):
            yield from _of_variable(variable.get("valueFrom", {}), namespace)
        for source in container.get("envFrom", ()):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if field in source:
                    yield (kind, namespace, source[field]["name"]), ""


def _of_volume(volume: dict[str, Any], namespace: str) -> Iterator[tuple[Key, str]]:
    if "secret" in volume:
        yield from _of_items("Secret", volume["secret"]["secretName"], volume["secret"], namespace)
    if "configMap" in volume:
        yield from _of_items(
            "ConfigMap", volume["configMap"]["name"], volume["configMap"], namespace
        )
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        yield ("PersistentVolumeClaim", namespace, claim), ""
    for source in volume.get("projected", {}).get("sources", ()):
        for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
            if field in source:
                yield from _of_items(kind, source[field]["name"], source[field], namespace)


def _of_items(
    kind: str, name: str, source: dict[str, Any], namespace: str
) -> Iterator[tuple[Key, str]]:
    for key in [item["key"] for item in source.get("items", ())] or [""]:
        yield (kind, namespace, name), key


def _of_variable(source: dict[str, Any], namespace: str) -> Iterator[tuple[Key, str]]:
    for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if field in source and not source[field].get("optional"):
            yield (kind, namespace, source[field]["name"]), source[field]["key"]


def _of_document(document: Document) -> Iterator[Key]:
    """What a document that is no workload refers to."""
    kind, namespace = document["kind"], namespace_of(document)
    if namespace:
        yield "Namespace", "", namespace
    if kind in ("RoleBinding", "ClusterRoleBinding"):
        role = document["roleRef"]
        yield role["kind"], namespace if role["kind"] == "Role" else "", role["name"]
        for subject in document["subjects"]:
            if subject["kind"] == "ServiceAccount":
                yield "ServiceAccount", subject["namespace"], subject["name"]
    elif kind == "ServiceAccount":
        for pull_secret in document.get("imagePullSecrets", ()):
            yield "Secret", namespace, pull_secret["name"]
    elif kind == "TrainJob":
        runtime = document["spec"]["runtimeRef"]
        runtime_kind = runtime.get("kind", "ClusterTrainingRuntime")
        scope = namespace if runtime_kind == "TrainingRuntime" else ""
        yield runtime_kind, scope, runtime["name"]
    elif kind == "ExternalSecret":
        store = document["spec"]["secretStoreRef"]
        scope = "" if store["kind"] == "ClusterSecretStore" else namespace
        yield store["kind"], scope, store["name"]
