"""What a service mesh and Kubeflow's own controllers ask of our documents."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.manifests.bundle import Bundle, key_of, title
from scripts.manifests.pods import pods

SIDECAR = "sidecar.istio.io/inject"
PART_OF = "app.kubernetes.io/part-of"
PROFILE = "kubeflow-profile"


def check_sidecars(bundle: Bundle) -> Iterator[str]:
    """No pod gets a sidecar: a job would never end, and Pod Security `restricted` refuses it."""
    for pod in pods(bundle):
        if pod.labels.get(SIDECAR) != "false":
            yield f'{pod.where}: the pods need the label {SIDECAR}: "false"'


def check_profiles(bundle: Bundle) -> Iterator[str]:
    """A profile's namespace has its owner, and the label that Kubeflow's policies look for."""
    namespaces = {
        document["metadata"]["name"]: document["metadata"]
        for document in bundle.documents
        if document["kind"] == "Namespace"
    }
    for profile in bundle.documents:
        if profile["kind"] != "Profile":
            continue
        name, owner = profile["metadata"]["name"], profile["spec"]["owner"]["name"]
        metadata = namespaces.get(name)
        if metadata is None:
            continue  # the profile controller makes it
        if metadata.get("annotations", {}).get("owner") != owner:
            yield (
                f"{title(profile)}: the annotation owner of its namespace must be {owner!r}, or "
                "the profile controller refuses a namespace that is there already"
            )
        if metadata.get("labels", {}).get(PART_OF) != PROFILE:
            yield (
                f"{title(profile)}: the label {PART_OF} of its namespace must be {PROFILE}, or "
                "Kubeflow's network policies shut it off"
            )


def check_runs(bundle: Bundle) -> Iterator[str]:
    """A run is no part of an overlay: applying it again would stop or change one that goes on."""
    for document in bundle.documents:
        if document["kind"] == "TrainJob" and key_of(document) not in bundle.by_hand:
            yield f"{title(document)}: a run must not be in an overlay; put it under manifests/runs"
        if document["kind"] == "TrainJob" and "suspend" in document["spec"]:
            yield f"{title(document)}: leave suspend to whoever starts the run"
