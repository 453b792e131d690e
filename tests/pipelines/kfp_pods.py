"""The pods that KFP 2.17.0 and Argo Workflows 4.0.5 make for the steps of a compiled pipeline.

Only what Pod Security looks at is here. K is backend/src of kubeflow/pipelines, A argo-workflows.
"""

from __future__ import annotations

from typing import Any

from nasoa.pipelines.compiled_spec import Step

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


def executor_pod(step: Step) -> dict[str, Any]:
    """The pod of a step.

    Its own context is the template's, with a seccomp profile alone: A workflowpod.go takes the
    template's in place of the workflow's, and K security_context.go leaves runAsNonRoot out of it
    (applySecurityContextToExecutorTemplate).
    """
    main = {
        "name": "main",
        "image": step.container["image"],
        "securityContext": {**MAIN_CONTEXT, **_of_step(step)},
    }
    return {
        "restartPolicy": "Never",
        "securityContext": {"seccompProfile": SECCOMP},
        "initContainers": [
            {"name": "init", "securityContext": ARGO_CONTEXT},
            {"name": "kfp-launcher", "securityContext": SYSTEM_CONTEXT},
        ],
        "containers": [{"name": "wait", "securityContext": ARGO_CONTEXT}, main],
        "volumes": [
            *(
                {"name": name, "emptyDir": {}}
                for name in ("var-run-argo", "tmp-dir-argo", *SCRATCH)
            ),
            *_volumes(step),
        ],
    }


def driver_pod() -> dict[str, Any]:
    """The pod of a driver (K v2/compiler/argocompiler/security_context.go, ...ToTemplate)."""
    return {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": SECCOMP},
        "initContainers": [{"name": "init", "securityContext": ARGO_CONTEXT}],
        "containers": [
            {"name": "wait", "securityContext": ARGO_CONTEXT},
            {"name": "main", "securityContext": SYSTEM_CONTEXT},
        ],
        "volumes": [{"name": name, "emptyDir": {}} for name in ARGO_VOLUMES],
    }


def _of_step(step: Step) -> dict[str, Any]:
    """What the driver writes into its patch (K v2/driver/k8s.go, extendPodSpecPatch)."""
    given = step.platform.get("securityContext")
    if given is None:
        return {}
    kinds = {"runAsUser": int, "runAsGroup": int, "runAsNonRoot": bool}
    own = {name: kind(given[name]) for name, kind in kinds.items() if name in given}
    return {**own, "capabilities": DROPPED}


def _volumes(step: Step) -> list[dict[str, Any]]:
    """Volumes of the platform's settings (the same function)."""
    platform = step.platform
    return [
        *({"name": m["volumeName"], "emptyDir": {}} for m in platform.get("emptyDirMounts", [])),
        *(
            {"name": f"claim-{i}", "persistentVolumeClaim": {}}
            for i, _ in enumerate(platform.get("pvcMount", []))
        ),
        *(
            {"name": m["volumeName"], "ephemeral": {}}
            for m in platform.get("genericEphemeralVolume", [])
        ),
    ]
