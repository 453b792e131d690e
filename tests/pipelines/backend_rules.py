"""What KFP's backend does with a compiled pipeline, and what the pipeline must therefore hold.

K is backend/src of kubeflow/pipelines 2.17.0, A is argo-workflows 4.0.5. Each row says where the
behaviour stands, how a pipeline is checked, and how the check is made to fail: `undo` takes the
answer to it out of the compiled documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nasoa.pipelines.compiled_spec import CompiledPipeline, Step
from scripts.manifests import pod_security
from scripts.manifests.bundle import Bundle
from tests.pipelines.kfp_pods import driver_pod, executor_pod

Documents = Callable[[dict[str, Any], dict[str, Any]], object]


@dataclass(frozen=True, kw_only=True)
class BackendRule:
    """One row of the table.

    Args:
        name: of the rule.
        source: files and functions of the backend.
        does: what the backend does.
        check: the problems of a compiled pipeline, one line each.
        undo: given the specification and its platform, breaks the rule.
    """

    name: str
    source: str
    does: str
    check: Callable[[CompiledPipeline], Iterator[str]]
    undo: Documents


def executors(platform: dict[str, Any]) -> list[dict[str, Any]]:
    """Kubernetes' settings of every step."""
    settings: dict[str, Any] = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return list(settings.values())


def pod_problems(spec: dict[str, Any]) -> list[str]:
    """How a pod breaks Pod Security "restricted"; habits of our own manifests do not count."""
    pod = {"kind": "Pod", "metadata": {"name": "step", "namespace": "nasoa"}, "spec": spec}
    found = pod_security.check(Bundle([pod]))
    habits = ("readOnlyRootFilesystem", "automountServiceAccountToken")
    return [problem for problem in found if not any(habit in problem for habit in habits)]


def of_steps(
    problems: Callable[[Step], Iterator[str] | list[str]],
) -> Callable[[CompiledPipeline], Iterator[str]]:
    """A check of each step alone."""

    def check(pipeline: CompiledPipeline) -> Iterator[str]:
        for step in pipeline.steps():
            for problem in problems(step):
                yield f"{step.where}: {problem}"

    return check


def _pod_security(step: Step) -> list[str]:
    return [*pod_problems(executor_pod(step)), *pod_problems(driver_pod())]


def _foreign_keys(step: Step) -> Iterator[str]:
    for use in step.platform.get("secretAsEnv", []):
        for pair in use["keyToEnv"]:
            if pair["envVar"].startswith(("AWS_", "MINIO_", "GOOGLE_")):
                yield f"{pair['envVar']} reaches the launcher"


def _movable(step: Step) -> Iterator[str]:
    annotations = step.platform.get("podMetadata", {}).get("annotations", {})
    wanted = {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }
    for name, value in wanted.items():
        if annotations.get(name) != value:
            yield f"{name} is {annotations.get(name)!r}"


RULES = (
    BackendRule(
        name="executor pods hold Pod Security restricted",
        source="K v2/compiler/argocompiler/security_context.go "
        "applySecurityContextToExecutorTemplate; K v2/driver/k8s.go extendPodSpecPatch; "
        "A workflow/controller/workflowpod.go addSchedulingConstraints, newExecContainer",
        does="The pod has a seccomp profile and no runAsNonRoot; the main container has what the "
        "step's securityContext says.",
        check=of_steps(_pod_security),
        undo=lambda spec, platform: [e.pop("securityContext") for e in executors(platform)],
    ),
    BackendRule(
        name="the launcher gets no keys of ours",
        source="K v2/objectstore/object_store.go LoadDefaultConfig with fromEnv; "
        "K v2/driver/k8s.go secretAsEnv",
        does="The launcher runs in the step's container, and with fromEnv reads AWS's variables.",
        check=of_steps(_foreign_keys),
        undo=lambda spec, platform: [
            e["secretAsEnv"][0]["keyToEnv"][0].update(envVar="AWS_ACCESS_KEY_ID")
            for e in executors(platform)
        ],
    ),
    BackendRule(
        name="autoscalers leave steps alone",
        source="K v2/compiler/argocompiler/container.go extendPodMetadata; cluster-autoscaler "
        "FAQ, karpenter's disruption controls",
        does="Annotations of podMetadata are those of the pod; nothing else keeps it from being "
        "moved.",
        check=of_steps(_movable),
        undo=lambda spec, platform: [e.pop("podMetadata") for e in executors(platform)],
    ),
)
