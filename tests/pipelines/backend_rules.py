"""What KFP's backend does with a compiled pipeline, and what the pipeline must have for that.

K is backend/src of kubeflow/pipelines 2.17.0, A is argo-workflows 4.0.5. Each rule names the source
of the behaviour, a check of pipelines, and a change of the compiled documents (`undo`) that makes
the check fail. The rules of rendered manifests are in tests/manifests/backend_rules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nasoa.pipelines.compiled_spec import CompiledPipeline, Step
from nasoa.pipelines.step_pods import claim_name, driver_pod, executor_pod
from scripts.manifests import pod_security
from scripts.manifests.bundle import Bundle

Documents = Callable[[dict[str, Any], dict[str, Any]], object]


@dataclass(frozen=True, kw_only=True)
class BackendRule:
    """A rule that compiled pipelines must follow.

    Args:
        name: name of the rule.
        source: files and functions of the backend.
        does: what the backend does.
        check: yields the problems of a compiled pipeline, one line each.
        undo: breaks the rule in a specification and its platform specification.
    """

    name: str
    source: str
    does: str
    check: Callable[[CompiledPipeline], Iterator[str]]
    undo: Documents


def executors(platform: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the Kubernetes settings of every step."""
    settings: dict[str, Any] = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return list(settings.values())


def pod_problems(spec: dict[str, Any]) -> list[str]:
    """Return how a pod violates Pod Security "restricted", without rules of our own manifests."""
    pod = {"kind": "Pod", "metadata": {"name": "step", "namespace": "nasoa"}, "spec": spec}
    found = pod_security.check(Bundle([pod]))
    habits = ("readOnlyRootFilesystem", "automountServiceAccountToken")
    return [problem for problem in found if not any(habit in problem for habit in habits)]


def of_steps(
    problems: Callable[[Step], Iterator[str] | list[str]],
) -> Callable[[CompiledPipeline], Iterator[str]]:
    """Return a check that runs on each step."""

    def check(pipeline: CompiledPipeline) -> Iterator[str]:
        for step in pipeline.steps():
            for problem in problems(step):
                yield f"{step.where}: {problem}"

    return check


def _pod_security(step: Step) -> list[str]:
    return [
        *pod_problems(executor_pod(step.container, step.platform, {})),
        *pod_problems(driver_pod()),
    ]


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


def _impatient(step: Step) -> Iterator[str]:
    variables = {v["name"]: v.get("value") for v in step.container.get("env", [])}
    if not variables.get("NASOA_STORE_PATIENCE"):
        yield "a store failure ends the step"


def _multiplied(pipeline: CompiledPipeline) -> Iterator[str]:
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            if "retryPolicy" in task and "dag" in pipeline.component(task):
                yield f"{scope.name}/{key} contains a pipeline and is retried"


def _backoff(step: Step) -> Iterator[str]:
    policy = step.task.get("retryPolicy", {})
    if float(policy.get("backoffFactor", 1)) % 1:
        yield f"backoffFactor {policy['backoffFactor']}"
    if float(str(policy.get("backoffDuration", "0s")).removesuffix("s")) < 1:
        yield "backoffDuration is below a second"


def _empty_tolerations(step: Step) -> Iterator[str]:
    for toleration in step.platform.get("tolerations", []):
        if not toleration:
            yield "a toleration without key and operator"


def _unlimited(pipeline: CompiledPipeline) -> Iterator[str]:
    loops = [
        (f"{scope.name}/{key}", task)
        for scope in pipeline.scopes()
        for key, task in scope.tasks.items()
        if "parameterIterator" in task
    ]
    for where, task in loops:
        if not task.get("iteratorPolicy", {}).get("parallelismLimit"):
            yield f"{where} starts all its iterations at once"


def _skipped_alone(pipeline: CompiledPipeline) -> Iterator[str]:
    for scope in pipeline.scopes():
        conditional = [
            bool(t.get("triggerPolicy", {}).get("condition")) for t in scope.tasks.values()
        ]
        if any(conditional) and not all(conditional):
            yield f"{scope.name} has a branch without an else"


def _unbounded(step: Step) -> Iterator[str]:
    """Check steps with accelerators: they read data, and keep it in /tmp."""
    if "accelerator" not in step.container.get("resources", {}):
        return
    sizes = {m["mountPath"]: m.get("sizeLimit") for m in step.platform.get("emptyDirMounts", [])}
    if not sizes.get("/tmp"):
        yield "its /tmp has no size limit"


def _unnamed_claims(step: Step) -> Iterator[str]:
    for mount in step.platform.get("pvcMount", []):
        if not claim_name(mount) or not mount.get("mountPath"):
            yield f"a claim without a fixed name: {mount}"


def _roots_volumes(step: Step) -> Iterator[str]:
    for volume in step.platform.get("genericEphemeralVolume", []):
        yield f"the volume {volume['volumeName']} belongs to root"


def loop_without_limit(spec: dict[str, Any], _: dict[str, Any]) -> None:
    """Remove the limit of every loop; if there is no loop, turn a step into one."""
    tasks = each_task(spec)
    for task in [t for t in tasks if "parameterIterator" in t] or tasks[:1]:
        task.pop("iteratorPolicy", None)
        task.setdefault("parameterIterator", {"itemInput": "x", "items": {"raw": "[]"}})


def one_branch(spec: dict[str, Any], _: dict[str, Any]) -> None:
    """Make the steps conditional, beside a last step that is not."""
    first = next(iter(spec["root"]["dag"]["tasks"].values()))
    first["triggerPolicy"] = {"condition": "inputs.parameter_values['x'] == 'y'"}


def each_task(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tasks of all scopes."""
    scopes = [spec["root"], *spec["components"].values()]
    return [task for scope in scopes for task in scope.get("dag", {}).get("tasks", {}).values()]


def retry_pipelines(spec: dict[str, Any], _: dict[str, Any]) -> None:
    for task in each_task(spec):
        if "dag" in spec["components"][task["componentRef"]["name"]]:
            task["retryPolicy"] = {"maxRetryCount": 2}


RULES = (
    BackendRule(
        name="executor pods hold Pod Security restricted",
        source="K v2/compiler/argocompiler/security_context.go "
        "applySecurityContextToExecutorTemplate; K v2/driver/k8s.go extendPodSpecPatch; "
        "A workflow/controller/workflowpod.go addSchedulingConstraints, newExecContainer",
        does="The pod has a seccomp profile and no runAsNonRoot; the main container has the step's "
        "securityContext.",
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
        does="The pod gets the annotations of podMetadata; nothing else keeps autoscalers from "
        "moving it.",
        check=of_steps(_movable),
        undo=lambda spec, platform: [e.pop("podMetadata") for e in executors(platform)],
    ),
    BackendRule(
        name="a step waits for its store by itself",
        source="manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml "
        "templateDefaults; K v2/compiler/argocompiler/container.go getTaskRetryStrategyFromInput; "
        "A workflow/controller/operator.go mergedTemplateDefaultsInto, processNodeRetries, "
        "inferFailedReason",
        does="Argo's defaults retry OnError, KFP sets no policy, and a container that ends with an "
        "error is Failed: it is not retried.",
        check=of_steps(_impatient),
        undo=lambda spec, platform: [
            e["container"].pop("env") for e in spec["deploymentSpec"]["executors"].values()
        ],
    ),
    BackendRule(
        name="no pipeline is tried again",
        source="K v2/compiler/argocompiler/dag.go; A workflow/controller/operator.go "
        "executeTemplate, processNodeRetries",
        does="A template with a retryStrategy is a node around its attempts, whatever it holds: "
        "retries of nested pipelines multiply.",
        check=_multiplied,
        undo=retry_pipelines,
    ),
    BackendRule(
        name="waits between attempts are whole",
        source="A workflow/controller/operator.go processNodeRetries (intstr.Int32 of the factor); "
        "K v2/compiler/argocompiler/container.go getTaskRetryParametersWithValues (.Seconds)",
        does="The factor is read as an integer, and the first wait is cut to whole seconds.",
        check=of_steps(_backoff),
        undo=lambda spec, platform: [
            task["retryPolicy"].update(backoffFactor=1.5)
            for task in each_task(spec)
            if "retryPolicy" in task
        ],
    ),
    BackendRule(
        name="no toleration is empty",
        source="K v2/driver/k8s.go extendPodSpecPatch, tolerations without tolerationJson",
        does="Each becomes a toleration of the pod, even an empty one, which Kubernetes refuses.",
        check=of_steps(_empty_tolerations),
        undo=lambda spec, platform: [e.update(tolerations=[{}]) for e in executors(platform)],
    ),
    BackendRule(
        name="what a step keeps on its node's disk has a bound",
        source="K v2/driver/driver.go initPodSpecPatch (memory, CPU and accelerators alone); "
        "K v2/driver/k8s.go extendPodSpecPatch, GetEmptyDirMounts",
        does="No ephemeral storage is requested, so only the sizeLimit of a volume keeps a step "
        "from filling the disk of a node.",
        check=of_steps(_unbounded),
        undo=lambda spec, platform: [e.pop("emptyDirMounts", None) for e in executors(platform)],
    ),
    BackendRule(
        name="a claim has a name when a pipeline is compiled",
        source="K v2/driver/k8s.go makeVolumeMountPatch",
        does="An empty name fails the step, so a parameter could not say that there is no claim.",
        check=of_steps(_unnamed_claims),
        undo=lambda spec, platform: [
            e.update(pvcMount=[{"mountPath": "/cache", "componentInputParameter": "claim"}])
            for e in executors(platform)
        ],
    ),
    BackendRule(
        name="no step is given a volume of its own",
        source="K v2/compiler/argocompiler/security_context.go "
        "applySecurityContextToExecutorTemplate; "
        "kubernetes_platform/proto/kubernetes_executor_config.proto SecurityContext",
        does="There is no fsGroup, so a new volume of a claim template belongs to root, and a step "
        "that is not root cannot write it.",
        check=of_steps(_roots_volumes),
        undo=lambda spec, platform: [
            e.update(genericEphemeralVolume=[{"volumeName": "data"}]) for e in executors(platform)
        ],
    ),
    BackendRule(
        name="a loop leaves room for others",
        source="K v2/compiler/argocompiler/dag.go iteratorTask",
        does="Only parallelismLimit of the compiled loop limits how many iterations run at once.",
        check=_unlimited,
        undo=loop_without_limit,
    ),
    BackendRule(
        name="a branch has an else",
        source="K v2/compiler/argocompiler/dag.go depends; K v2/metadata/client.go "
        "UpdateDAGExecutionsState",
        does="A task runs after tasks that succeeded; a skipped task has not, and updates no "
        "state, so the pipeline around it stays RUNNING.",
        check=_skipped_alone,
        undo=one_branch,
    ),
)
