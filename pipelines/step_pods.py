"""The pods that KFP 2.17.0 and Argo Workflows 4.0.5 make for the steps of a compiled pipeline.

They have what an API server checks: containers with users and resources, volumes, labels, node
selectors. Commands and KFP's own variables are left out. In the references, K is backend/src of
kubeflow/pipelines and A is argo-workflows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]

SECCOMP = {"type": "RuntimeDefault"}
DROPPED = {"drop": ["ALL"]}
# K v2/compiler/argocompiler/security_context.go, defaultUserContainerSecurityContext
MAIN_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": DROPPED,
    "seccompProfile": SECCOMP,
}
# The same file, defaultContainerSecurityContext: launcher and driver.
SYSTEM_CONTEXT = {**MAIN_CONTEXT, "runAsNonRoot": True}
# manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml, `executor`,
# which A workflow/controller/workflowpod.go, newExecContainer, gives to `init` and `wait`.
ARGO_CONTEXT = {**SYSTEM_CONTEXT, "runAsUser": 65532}
ARGO_VOLUMES = ("var-run-argo", "tmp-dir-argo")
# K v2/compiler/argocompiler/container.go: the volumes of system-container-impl.
SCRATCH = (
    "kfp-launcher",
    "gcs-scratch",
    "s3-scratch",
    "minio-scratch",
    "dot-local-scratch",
    "dot-cache-scratch",
    "dot-config-scratch",
)
# K v2/compiler/argocompiler/argo.go, driverResources and launcherResources
DRIVER_RESOURCES = {
    "limits": {"memory": "0.5Gi", "cpu": "0.5"},
    "requests": {"memory": "64Mi", "cpu": "0.1"},
}
LAUNCHER_RESOURCES = {"limits": {"memory": "256Mi", "cpu": "0.5"}, "requests": {"cpu": "0.1"}}
# A common/common.go; K apiserver/template/v2_template.go
LABELS = {
    "workflows.argoproj.io/workflow": "nasoa-doctor",
    "workflows.argoproj.io/completed": "false",
    "pipeline/runid": "nasoa-doctor",
    "sidecar.istio.io/inject": "false",
}
# Images matter only to policies on registries; the versions are those of KFP 2.17.0.
ARGO_IMAGE = "quay.io/argoproj/argoexec:v4.0.5"
LAUNCHER_IMAGE = "ghcr.io/kubeflow/kfp-launcher:2.17.0"
DRIVER_IMAGE = "ghcr.io/kubeflow/kfp-driver:2.17.0"


def executor_pod(container: Document, platform: Document, placed: Document) -> dict[str, Any]:
    """Return the specification of a step's pod.

    The pod's security context is the template's, with only a seccomp profile: A workflowpod.go uses
    the template's instead of the workflow's, and K security_context.go leaves runAsNonRoot out of
    it (applySecurityContextToExecutorTemplate).

    Args:
        container: container of the compiled executor.
        platform: Kubernetes settings of the executor.
        placed: values from parameters: `image`, `resources`, `nodeSelector`, `tolerations`; each is
            optional.
    """
    volumes = list(_volumes(platform))
    main = {
        "name": "main",
        "image": placed.get("image") or container["image"],
        "securityContext": {**MAIN_CONTEXT, **_context(platform)},
        "resources": dict(placed.get("resources", {})),
        "env": [*_environment(container), *_secrets(platform)],
        "volumeMounts": [{"name": v["name"], "mountPath": path} for v, path in volumes],
    }
    scratch = [{"name": name, "emptyDir": {}} for name in (*ARGO_VOLUMES, *SCRATCH)]
    return {
        "restartPolicy": "Never",
        "securityContext": {"seccompProfile": SECCOMP},
        "initContainers": [
            _of_argo("init"),
            {
                "name": "kfp-launcher",
                "image": LAUNCHER_IMAGE,
                "securityContext": SYSTEM_CONTEXT,
                "resources": LAUNCHER_RESOURCES,
            },
        ],
        "containers": [_of_argo("wait"), main],
        "volumes": [*scratch, *(volume for volume, _ in volumes)],
        "nodeSelector": dict(placed.get("nodeSelector", {})),
        "tolerations": list(placed.get("tolerations", [])),
    }


def driver_pod() -> dict[str, Any]:
    """Return the specification of a driver's pod (K security_context.go, ...ToTemplate)."""
    return {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": SECCOMP},
        "initContainers": [_of_argo("init")],
        "containers": [
            _of_argo("wait"),
            {
                "name": "main",
                "image": DRIVER_IMAGE,
                "securityContext": SYSTEM_CONTEXT,
                "resources": DRIVER_RESOURCES,
            },
        ],
        "volumes": [{"name": name, "emptyDir": {}} for name in ARGO_VOLUMES],
    }


def document(spec: Document, metadata: Document, service_account: str) -> dict[str, Any]:
    """Return a pod as it is sent to the API server.

    Args:
        spec: specification of the pod.
        metadata: labels and annotations in the Kubernetes settings of the step.
        service_account: service account of the run.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "nasoa-doctor-",
            "labels": {**LABELS, **metadata.get("labels", {})},
            "annotations": dict(metadata.get("annotations", {})),
        },
        "spec": {**spec, "serviceAccountName": service_account},
    }


def claim_name(mount: Document) -> str:
    """Return the name of the claim of a mount; empty if it is known only in the run.

    `constant`, which kfp 2.17 still writes beside it, is deprecated
    (kubernetes_platform/proto/kubernetes_executor_config.proto, PvcMount).
    """
    source = mount.get("pvcNameParameter", {}).get("runtimeValue", {})
    return str(source.get("constant") or "")


def _of_argo(name: str) -> dict[str, Any]:
    return {"name": name, "image": ARGO_IMAGE, "securityContext": ARGO_CONTEXT}


def _context(platform: Document) -> dict[str, Any]:
    """Return the context that the driver adds (K v2/driver/k8s.go, extendPodSpecPatch)."""
    given = platform.get("securityContext")
    if given is None:
        return {}
    kinds = {"runAsUser": int, "runAsGroup": int, "runAsNonRoot": bool}
    own = {name: kind(given[name]) for name, kind in kinds.items() if name in given}
    return {**own, "capabilities": DROPPED}


def _environment(container: Document) -> Iterator[dict[str, Any]]:
    for variable in container.get("env", []):
        yield {"name": variable["name"], "value": variable.get("value", "")}


def _secrets(platform: Document) -> Iterator[dict[str, Any]]:
    for use in platform.get("secretAsEnv", []):
        for pair in use["keyToEnv"]:
            source: dict[str, Any] = {"name": use.get("secretName", ""), "key": pair["secretKey"]}
            if use.get("optional"):
                source["optional"] = True
            yield {"name": pair["envVar"], "valueFrom": {"secretKeyRef": source}}


def _volumes(platform: Document) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the volumes in the settings, and where they are mounted (extendPodSpecPatch)."""
    for mount in platform.get("emptyDirMounts", []):
        fields = {"medium": "medium", "sizeLimit": "sizeLimit"}
        kept = {ours: mount[theirs] for ours, theirs in fields.items() if mount.get(theirs)}
        yield {"name": mount["volumeName"], "emptyDir": kept}, mount["mountPath"]
    for mount in platform.get("pvcMount", []):
        name = claim_name(mount)
        claim = {"name": name, "persistentVolumeClaim": {"claimName": name}}
        yield claim, mount["mountPath"]
    for mount in platform.get("genericEphemeralVolume", []):
        yield {"name": mount["volumeName"], "ephemeral": {}}, mount.get("mountPath", "")
