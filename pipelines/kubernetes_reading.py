"""Read-only access to a Kubernetes cluster, and whether its nodes can take the pod of a step."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from nasoa.errors import ClusterRefused
from nasoa.pipelines.demands import Demand

TIMEOUT_S = (5.0, 20.0)  # to connect, to answer
_LIMIT = 500
_PULL_FAILURES = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
_FAILED_PULL = re.compile(r'Failed to pull image "([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Node:
    """The properties of a node that matter for placement.

    Args:
        name: name of the node.
        labels: labels that selectors match.
        allocatable: resources with integer amounts, like nvidia.com/gpu.
        taints: key, value and effect of each taint.
        schedulable: whether the node is ready and not cordoned.
        images: full names of the images on the node.
    """

    name: str
    labels: dict[str, str]
    allocatable: dict[str, int]
    taints: tuple[tuple[str, str, str], ...]
    schedulable: bool
    images: frozenset[str]


class Kubernetes:
    """Read calls to a cluster, each with a timeout and an error that names a missing permission.

    `api` is the API client, and `checks_certificate` says whether the server's certificate is
    verified.

    Args:
        context: kubeconfig context; None for the current one, or in a pod for its service account.

    Raises:
        ClusterRefused: no cluster is configured.
    """

    def __init__(self, context: str | None = None) -> None:
        settings = client.Configuration()
        try:
            if "KUBERNETES_SERVICE_HOST" in os.environ and context is None:
                config.load_incluster_config(client_configuration=settings)
            else:
                # The client read KUBECONFIG when it was imported; this reads it again.
                config.load_kube_config(
                    config_file=os.environ.get("KUBECONFIG"),
                    context=context,
                    client_configuration=settings,
                )
        except (config.ConfigException, OSError, ValueError, TypeError) as error:
            raise ClusterRefused(
                f"no Kubernetes cluster is configured ({error}); set KUBECONFIG, or name a context "
                "with --kube-context"
            ) from None
        settings.retries = urllib3.Retry(total=1, backoff_factor=0.2)
        self.checks_certificate: bool = bool(settings.verify_ssl)
        if not self.checks_certificate:
            # The doctor reports it once; urllib3 would warn at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.api = client.ApiClient(settings)
        self._core = client.CoreV1Api(self.api)
        self._address: str = settings.host

    def has_namespace(self, name: str) -> bool:
        """Return whether the namespace exists."""
        found = self._ask("get", "namespaces", lambda o: self._core.read_namespace(name, **o))
        return found is not None

    def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return the values of a secret by key, or None if the secret does not exist."""
        found = self._ask(
            "get", "secrets", lambda o: self._core.read_namespaced_secret(name, namespace, **o)
        )
        if found is None:
            return None
        data = (found.data or {}).items()
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data}

    def config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return the texts of a ConfigMap by key, or None if the ConfigMap does not exist."""
        found = self._ask(
            "get",
            "configmaps",
            lambda o: self._core.read_namespaced_config_map(name, namespace, **o),
        )
        return None if found is None else dict(found.data or {})

    def claim(self, namespace: str, name: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the phase and access modes of a claim, or None if the claim does not exist."""
        found = self._ask(
            "get",
            "persistentvolumeclaims",
            lambda o: self._core.read_namespaced_persistent_volume_claim(name, namespace, **o),
        )
        if found is None:
            return None
        return found.status.phase or "Pending", tuple(found.spec.access_modes or ())

    def nodes(self) -> list[Node]:
        """Return all nodes."""
        found = self._ask("list", "nodes", lambda o: self._core.list_node(**o))
        return [_node(item) for item in (found.items if found else [])]

    def failed_pulls(self, namespace: str) -> dict[str, str]:
        """Return why image pulls failed recently, by image, from events and waiting pods."""
        failed: dict[str, str] = {}
        events = self._ask(
            "list",
            "events",
            lambda o: self._core.list_namespaced_event(
                namespace, field_selector="reason=Failed", limit=_LIMIT, **o
            ),
        )
        for event in events.items if events else []:
            image = _FAILED_PULL.search(event.message or "")
            if image:
                failed[image[1]] = event.message
        pods = self._ask(
            "list",
            "pods",
            lambda o: self._core.list_namespaced_pod(
                namespace, field_selector="status.phase=Pending", limit=_LIMIT, **o
            ),
        )
        for pod in pods.items if pods else []:
            for status in _container_statuses(pod):
                waiting = status.state.waiting if status.state else None
                if waiting is not None and waiting.reason in _PULL_FAILURES:
                    text = failed.get(status.image) or waiting.message or ""
                    failed[status.image] = f"{waiting.reason} in {pod.metadata.name}: {text}"
        return failed

    def _ask(self, verb: str, resource: str, call: Callable[[dict[str, Any]], Any]) -> Any:
        """Return the answer, or None if nothing of that name exists."""
        try:
            found = call({"_request_timeout": TIMEOUT_S})
            if found.metadata is None and not hasattr(found, "items"):
                raise ValueError("no Kubernetes object")  # the client builds empty ones of any JSON
            return found
        except ApiException as error:
            if error.status == 404:
                return None
            if error.status == 403:
                raise ClusterRefused(
                    f"not allowed to {verb} {resource}; ask for a role with this permission", 403
                ) from None
            if error.status == 401:
                raise ClusterRefused(
                    f"Kubernetes at {self._address} rejects the credentials (401); log in again",
                    401,
                ) from None
            raise ClusterRefused(
                f"Kubernetes at {self._address} refuses to {verb} {resource} ({error.status})",
                error.status,
            ) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise ClusterRefused(
                f"Kubernetes at {self._address} gave no valid answer ({type(reason).__name__}); "
                "check the kubeconfig, and that the cluster is running"
            ) from None


def _container_statuses(pod: Any) -> list[Any]:
    status = pod.status
    return [*(status.init_container_statuses or []), *(status.container_statuses or [])]


def _node(item: Any) -> Node:
    conditions = {c.type: c.status for c in item.status.conditions or []}
    resources = (item.status.allocatable or {}).items()
    images = [name for image in item.status.images or [] for name in image.names or []]
    return Node(
        name=item.metadata.name,
        labels=dict(item.metadata.labels or {}),
        allocatable={name: int(count) for name, count in resources if str(count).isdigit()},
        taints=tuple((t.key, t.value or "", t.effect) for t in item.spec.taints or []),
        schedulable=conditions.get("Ready") == "True" and not item.spec.unschedulable,
        images=frozenset(full_name(name) for name in images),
    )


def full_name(image: str) -> str:
    """Return the name of an image as container runtimes write it: with a registry and a tag."""
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif "." not in first and ":" not in first and first != "localhost":
        image = f"docker.io/{image}"
    return image if "@" in image or ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"


def misplaced(demand: Demand, nodes: Sequence[Node]) -> str | None:
    """Return why no node can take the pod of a step, or None if one can."""
    if demand.selector is None:
        return None
    wanted = ", ".join(f"{k}={v}" for k, v in demand.selector.items())
    fitting = [node for node in nodes if demand.selector.items() <= node.labels.items()]
    if not fitting:
        return f"no node has the labels {wanted}{_near(demand.selector, nodes)}"
    of_pool = f" with {wanted}" if wanted else ""
    if demand.accelerator:
        fitting = [n for n in fitting if n.allocatable.get(demand.accelerator, 0) >= demand.count]
        if not fitting:
            return (
                f"no node{of_pool} offers {demand.count} {demand.accelerator}; is the device "
                "plugin installed?"
            )
    ready = [node for node in fitting if node.schedulable]
    if not ready:
        return f"every fitting node{of_pool} is cordoned or not ready"
    if not any(_tolerates(demand, node) for node in ready):
        taints = sorted(
            {f"{k}={v}:{e}" if v else f"{k}:{e}" for n in ready for k, v, e in n.taints}
        )
        return f"the nodes{of_pool} have taints that are not tolerated: {', '.join(taints)}"
    return None


def _near(selector: dict[str, str], nodes: Sequence[Node]) -> str:
    """Return the values that nodes have for the requested labels."""
    there = sorted(
        {f"{key}={node.labels[key]}" for node in nodes for key in selector if key in node.labels}
    )
    return f"; nodes have {', '.join(there)}" if there else ""


def _tolerates(demand: Demand, node: Node) -> bool:
    hard = [taint for taint in node.taints if taint[2] in ("NoSchedule", "NoExecute")]
    return all(any(_matches(t, taint) for t in demand.tolerations) for taint in hard)


def _matches(toleration: dict[str, str], taint: tuple[str, str, str]) -> bool:
    """Apply Kubernetes' rule: no key with Exists matches any key, no effect any effect."""
    key, value, effect = taint
    if toleration.get("effect") not in (None, "", effect):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, "", key)
    return toleration.get("key") == key and (toleration.get("value") or "") == value
