"""A fake of the Kubernetes API server for the requests of the doctor; it refuses all others.

Answers are built from the models of the official client, so they have the form of the real API's.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from kubernetes import client

from tests.pipelines.http_server import Answer, Fault, Request, answer

_PATH = re.compile(r"/api/v1(?:/namespaces/(?P<ns>[^/]+))?(?:/(?P<kind>\w+)(?:/(?P<name>[^/]+))?)?")

# manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml of
# kubeflow/pipelines 2.17.0, its key workflowDefaults.
KFP_DEFAULTS = """
spec:
  ttlStrategy:
    secondsAfterCompletion: 3600
    secondsAfterSuccess: 3600
    secondsAfterFailure: 3600
  templateDefaults:
    retryStrategy:
      limit: '2'
      retryPolicy: OnError
"""


def kubeconfig(address: str, token: str) -> dict[str, Any]:
    """A kubeconfig for a server at an address."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "me", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me"}}],
    }


def what_is_asked(request: Request) -> tuple[str, str, str, str]:
    """Namespace, resource, verb and name of a request that reads, as Kubernetes' RBAC has them.

    A namespace itself counts as one of its own.
    """
    match = _PATH.fullmatch(request.path)
    assert match is not None
    kind = match["kind"] or "namespaces"
    name = match["name"] or ("" if match["kind"] else match["ns"])
    return match["ns"] or "", kind, "get" if name else "list", name or ""


class KubernetesServer:
    """A cluster with a namespace `kubeflow`, a secret, and two pools of nodes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.forbidden: set[str] = set()  # like "list nodes"
        self.namespaces = {"kubeflow"}
        self.secrets = {
            "nasoa-s3": {"NASOA_S3_ACCESS_KEY_ID": "id", "NASOA_S3_SECRET_ACCESS_KEY": "key"}
        }
        self.config_maps = {"workflow-controller-configmap": {"workflowDefaults": KFP_DEFAULTS}}
        self.nodes = [node("cpu-1", {"pool": "cpu"}), node("gpu-1", {"pool": "gpu"}, gpus=4)]
        self.pods: list[client.V1Pod] = []
        self.claims: dict[str, tuple[str, list[str]]] = {}
        self.tried: list[dict[str, Any]] = []  # documents of dry runs
        # Answer of admission to a document: a status and a message, or only a warning.
        self.admission: Callable[[dict[str, Any]], tuple[int, str] | None] = lambda document: None
        self.kinds = {"v1": ["ConfigMap", "Namespace"], "batch/v1": ["Job"]}
        self.events: list[client.CoreV1Event] = []

    def handle(self, request: Request) -> Answer:
        if request.method != "GET":
            return self._try(request)
        if request.path in ("/version", "/apis", "/api/v1", "/apis/batch/v1"):
            return answer(200, self._discovered(request.path))
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise AssertionError(f"the doctor has no business with {request.path}")
        kind = match["kind"] or "namespaces"
        verb = "get" if match["name"] or not match["kind"] else "list"
        if f"{verb} {kind}" in self.forbidden:
            return _status(403, f"{kind} is forbidden")
        found = self._find(kind, match["ns"], match["name"], request.query)
        if found is None:
            return _status(404, f"{kind} not found")
        with client.ApiClient() as serializer:
            return answer(200, serializer.sanitize_for_serialization(found))

    def _try(self, request: Request) -> Answer:
        """Answer a dry run; nothing is ever created."""
        made = (request.method, request.query.get("dryRun"))
        if made not in (("POST", "All"), ("PATCH", "All")):
            raise AssertionError(f"the doctor may change nothing, but: {request.method} {made}")
        document = json.loads(request.body)
        self.tried.append({**document, "path": request.path})
        verb = "create" if request.method == "POST" else "patch"
        kind = request.path.split("/")[-1 if verb == "create" else -2]
        if f"{verb} {kind}" in self.forbidden:
            text = f'{kind} is forbidden: User "me" cannot {verb} resource "{kind}" in API group ""'
            return _status(403, text)
        where = re.search(r"/namespaces/([^/]+)/", request.path)
        if where and where[1] not in self.namespaces:
            return _status(404, f'namespaces "{where[1]}" not found')
        said = self.admission(document)
        if said is not None and said[0] >= 400:
            return _status(*said)
        answered = answer(201, document)
        if said is not None:
            answered.headers["Warning"] = f'299 - "{said[1]}"'
        return answered

    def _discovered(self, path: str) -> dict[str, Any]:
        if path == "/version":
            return {"major": "1", "minor": "36"}
        if path == "/apis":
            version = {"groupVersion": "batch/v1", "version": "v1"}
            group = {"name": "batch", "versions": [version], "preferredVersion": version}
            return {"kind": "APIGroupList", "groups": [group]}
        version_name = path.removeprefix("/api/").removeprefix("/apis/")
        resources = [
            {
                "name": f"{kind.lower()}s",
                "singularName": kind.lower(),
                "namespaced": kind != "Namespace",
                "kind": kind,
                "verbs": ["create", "get", "patch"],
            }
            for kind in self.kinds[version_name]
        ]
        return {"kind": "APIResourceList", "groupVersion": version_name, "resources": resources}

    def _find(
        self, kind: str, namespace: str | None, name: str | None, query: dict[str, str]
    ) -> Any:
        meta = client.V1ObjectMeta(name=name or namespace)
        if kind == "namespaces":
            there = namespace in self.namespaces
            return client.V1Namespace(metadata=meta) if there else None
        if kind == "secrets":
            return self._secret(str(name)) if namespace in self.namespaces else None
        if kind == "configmaps":
            data = self.config_maps.get(str(name))
            return None if data is None else client.V1ConfigMap(metadata=meta, data=data)
        if kind == "persistentvolumeclaims":
            if name not in self.claims:
                return None
            phase, modes = self.claims[name]
            return client.V1PersistentVolumeClaim(
                metadata=meta,
                spec=client.V1PersistentVolumeClaimSpec(access_modes=modes),
                status=client.V1PersistentVolumeClaimStatus(phase=phase),
            )
        if kind == "nodes":
            return client.V1NodeList(items=self.nodes)
        if kind == "pods":
            assert query["fieldSelector"] == "status.phase=Pending"
            pending = [pod for pod in self.pods if pod.status.phase == "Pending"]
            return client.V1PodList(items=pending)
        if kind == "events":
            assert query["fieldSelector"] == "reason=Failed"
            failed = [event for event in self.events if event.reason == "Failed"]
            return client.CoreV1EventList(items=failed)
        raise AssertionError(f"the doctor has no business with {kind}")

    def _secret(self, name: str) -> client.V1Secret | None:
        if name not in self.secrets:
            return None
        data = {k: base64.b64encode(v.encode()).decode() for k, v in self.secrets[name].items()}
        return client.V1Secret(metadata=client.V1ObjectMeta(name=name), data=data)


def _status(code: int, message: str) -> Answer:
    return answer(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})


def node(
    name: str,
    labels: dict[str, str],
    *,
    gpus: int = 0,
    taints: tuple[tuple[str, str, str], ...] = (),
    ready: bool = True,
    cordoned: bool = False,
    images: tuple[str, ...] = (),
) -> client.V1Node:
    gpu = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    return client.V1Node(
        metadata=client.V1ObjectMeta(name=name, labels=labels),
        spec=client.V1NodeSpec(
            unschedulable=cordoned or None,
            taints=[client.V1Taint(key=k, value=v or None, effect=e) for k, v, e in taints] or None,
        ),
        status=client.V1NodeStatus(
            allocatable={"cpu": "7910m", "memory": "31Gi", **gpu},
            conditions=[client.V1NodeCondition(type="Ready", status=str(ready))],
            images=[client.V1ContainerImage(names=[image]) for image in images] or None,
        ),
    )


def waiting_pod(name: str, image: str, reason: str) -> client.V1Pod:
    """Return a pod whose container waits for the given reason."""
    status = client.V1ContainerStatus(
        name="main",
        image=image,
        image_id="",
        ready=False,
        restart_count=0,
        state=client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason=reason)),
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name),
        status=client.V1PodStatus(phase="Pending", container_statuses=[status]),
    )


def event(reason: str, message: str) -> client.CoreV1Event:
    return client.CoreV1Event(
        reason=reason,
        message=message,
        metadata=client.V1ObjectMeta(name="event"),
        involved_object=client.V1ObjectReference(kind="Pod", name="pod"),
    )
