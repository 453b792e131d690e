"""Rules for what each step must have, and for what the user interface needs to show it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nasoa.pipelines.compiled_spec import CompiledPipeline, Document, parameters
from nasoa.pipelines.placement import SHARED_MEMORY_PATH
from nasoa.pipelines.pod_settings import ANNOTATIONS, STORE_VARIABLES

Found = Iterator[tuple[str, str]]

_LIMITS = {
    "CPU request": ("resourceCpuRequest", "cpuRequest"),
    "CPU limit": ("resourceCpuLimit", "cpuLimit"),
    "memory request": ("resourceMemoryRequest", "memoryRequest"),
    "memory limit": ("resourceMemoryLimit", "memoryLimit"),
}
_POOL = {
    "node selector": "nodeSelector",
    "tolerations": "tolerations",
    "node affinity": "nodeAffinity",
}
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:passw(?:or)?d|passphrase|secrets?|tokens?|credentials?|bearer|cookie"
    r"|(?:api|access|private|secret)[_-]?keys?)(?:$|[_-])",
    re.IGNORECASE,
)
_AFTER_ALL = "ALL_UPSTREAM_TASKS_COMPLETED"


def limits(pipeline: CompiledPipeline) -> Found:
    """Check requests and limits: without them a step can fill a node, and quotas refuse its pod."""
    for step in pipeline.steps():
        resources = step.container.get("resources", {})
        for what, fields in _LIMITS.items():
            if not any(resources.get(field) for field in fields):
                yield step.where, f"it has no {what}"


def pools(pipeline: CompiledPipeline) -> Found:
    """Check that a step's pool can be set, and that accelerators come with shared memory."""
    for step in pipeline.steps():
        selector = step.platform.get("nodeSelector", {}).get("nodeSelectorJson", {})
        for what, field in _POOL.items():
            # If the pool is compiled in, an empty list of tolerations leaves no entry.
            compiled_in = field == "tolerations" and "runtimeValue" in selector
            if not step.platform.get(field) and not compiled_in:
                yield step.where, f"it has no {what}"
        for toleration in step.platform.get("tolerations", []):
            if not toleration:
                yield step.where, "a toleration is empty: Kubernetes refuses the pod"
        accelerator = step.container.get("resources", {}).get("accelerator", {})
        kind = accelerator.get("resourceType") or accelerator.get("type")
        count = accelerator.get("resourceCount") or accelerator.get("count")
        mounts = step.platform.get("emptyDirMounts", [])
        shared = any(mount.get("mountPath") == SHARED_MEMORY_PATH for mount in mounts)
        if bool(kind) != bool(count):
            yield step.where, "its accelerators have only one of type and count"
        if shared != bool(kind):
            lacking = "accelerators" if shared else f"a volume at {SHARED_MEMORY_PATH}"
            yield step.where, f"it is a GPU step without {lacking}"


def users(pipeline: CompiledPipeline) -> Found:
    """Check that no pod can run as root, which Pod Security "restricted" refuses."""
    for step in pipeline.steps():
        context = step.platform.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or int(context.get("runAsUser", 0)) == 0:
            yield step.where, "it has no runAsNonRoot with the numeric id of a non-root user"


def evictions(pipeline: CompiledPipeline) -> Found:
    """Check for the annotations that keep autoscalers from moving a step that trains for hours."""
    for step in pipeline.steps():
        given = step.platform.get("podMetadata", {}).get("annotations", {})
        for name, value in ANNOTATIONS.items():
            if given.get(name) != value:
                yield step.where, f"it has no annotation {name}: {value!r}"


def retries(pipeline: CompiledPipeline) -> Found:
    """Check that steps have a timeout and retries with growing waits, and that only steps retry."""
    for step in pipeline.steps():
        timeout_s = float(step.platform.get("activeDeadlineSeconds", 0))
        if not timeout_s:
            yield step.where, "it has no timeout"
        policy = step.task.get("retryPolicy", {})
        count = int(policy.get("maxRetryCount", 0))
        if not count:
            yield step.where, "it has no retries"
            continue
        if not _seconds(policy, "backoffDuration") or policy.get("backoffFactor", 0) <= 1:
            yield step.where, "its retries do not wait longer each time"
        if policy.get("backoffFactor", 0) % 1:
            yield step.where, "backoffFactor is not an integer, but Argo reads it as one"
        if _seconds(policy, "backoffMaxDuration") < (count + 1) * timeout_s:
            yield step.where, "backoffMaxDuration can end before its last attempt"
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            if "retryPolicy" in task and "dag" in pipeline.component(task):
                yield f"{scope.name}/{key}", "a pipeline is retried as a whole: attempts multiply"


def _seconds(policy: Document, field: str) -> float:
    return float(str(policy.get(field, "0s")).removesuffix("s"))


def loops(pipeline: CompiledPipeline) -> Found:
    """Check that loops are limited: others start all pods at once, and users' tasks must wait."""
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            limit = task.get("iteratorPolicy", {}).get("parallelismLimit", 0)
            if "parameterIterator" in task and not limit:
                yield f"{scope.name}/{key}", "a loop without a limit on parallel iterations"


def conditions(pipeline: CompiledPipeline) -> Found:
    """Check that each branch has an else: KFP runs no task after a branch that is skipped."""
    for scope in pipeline.scopes():
        conditional = [key for key, task in scope.tasks.items() if _condition(task)]
        if conditional and len(conditional) < len(scope.tasks):
            yield (
                f"{scope.name}/{conditional[0]}",
                "a branch without an else: KFP skips what follows",
            )


def _condition(task: Document) -> str:
    return str(task.get("triggerPolicy", {}).get("condition", ""))


def images(pipeline: CompiledPipeline) -> Found:
    """Check that images have a fixed tag or digest, so that each run uses the same one."""
    for step in pipeline.steps():
        image = str(step.container.get("image", ""))
        if image.startswith("{{") or "@sha256:" in image:
            continue
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if tag in ("", "latest"):
            yield step.where, f"its image {image!r} has {'no tag' if not tag else 'the tag latest'}"


def secrets(pipeline: CompiledPipeline) -> Found:
    """Check that a step with a store gets its keys from a secret that is not optional.

    KFP's launcher runs in the same container, and would use variables named AWS_* for its bucket.
    """
    for step in pipeline.steps():
        uses = step.platform.get("secretAsEnv", [])
        given = {str(pair.get("envVar")) for use in uses for pair in use.get("keyToEnv", [])}
        for name in sorted(given):
            if name.startswith("AWS_"):
                yield step.where, f"its variable {name!r} is read by KFP's launcher, too"
        missing = [name for name in STORE_VARIABLES if name not in given]
        if missing and "store" in step.inputs:
            yield step.where, f"no secret gives it {', '.join(missing)}"
        if any(use.get("optional") and _gives_keys(use) for use in uses):
            yield step.where, "its secret is optional"


def _gives_keys(use: Document) -> bool:
    """Whether a secret has the store's keys; one with the address of a webhook may be missing."""
    return any(pair.get("envVar") in STORE_VARIABLES for pair in use.get("keyToEnv", []))


def secret_names(pipeline: CompiledPipeline) -> Found:
    """Check that no parameter or plain variable is a secret: the user interface shows both."""
    for scope in pipeline.scopes():
        for name in scope.inputs("parameters"):
            if _SECRET_NAME.search(name):
                yield scope.name, f"its parameter {name!r} looks like a secret"
    for step in pipeline.steps():
        for name in step.component.get("inputDefinitions", {}).get("parameters", {}):
            if _SECRET_NAME.search(name):
                yield step.where, f"its input {name!r} looks like a secret"
        for variable in step.container.get("env", []):
            name = variable.get("name", "")
            if _SECRET_NAME.search(name) and variable.get("value"):
                yield step.where, f"its variable {name!r} looks like a secret"


def caching(pipeline: CompiledPipeline) -> Found:
    """Check that no step with a store is cached: it writes to the store or depends on it."""
    for step in pipeline.steps():
        cached = step.task.get("cachingOptions", {}).get("enableCache", False)
        if cached and "store" in step.inputs:
            yield step.where, "it uses the store, but is cached"


def failures(pipeline: CompiledPipeline) -> Found:
    """Check for a task that runs however the others end, and gets their final status."""
    for task in pipeline.spec["root"]["dag"]["tasks"].values():
        told = any("taskFinalStatus" in source for source in parameters(task).values())
        if told and task.get("triggerPolicy", {}).get("strategy") == _AFTER_ALL:
            return
    yield "root", "no step records a failure of the run"


def texts(pipeline: CompiledPipeline) -> Found:
    """Check that the description explains required parameters, and that steps have display names.

    KFP's form for a run shows only names, types and defaults; the graph shows the display names.
    """
    description = pipeline.spec.get("pipelineInfo", {}).get("description", "")
    if not description:
        yield "root", "the pipeline has no description"
    inputs = pipeline.spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, defined in inputs.items():
        needed = not defined.get("isOptional") and "defaultValue" not in defined
        if needed and not re.search(rf"^{re.escape(name)}: ", description, re.MULTILINE):
            yield "root", f"the pipeline's description does not explain {name!r}"
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            inner = pipeline.component(task).get("dag", {}).get("tasks", {}).values()
            branches = bool(inner) and all(map(_condition, inner))  # KFP has no name for these
            if task.get("taskInfo", {}).get("name", key) == key and not branches:
                yield f"{scope.name}/{key}", "it has no display name"
