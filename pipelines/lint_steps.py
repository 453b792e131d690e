"""What a step of ours must have, and what the user interface needs to show it."""

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
    """A step without a limit can take a whole node, and a quota refuses its pod."""
    for step in pipeline.steps():
        resources = step.container.get("resources", {})
        for what, fields in _LIMITS.items():
            if not any(resources.get(field) for field in fields):
                yield step.where, f"it has no {what}"


def pools(pipeline: CompiledPipeline) -> Found:
    """Where a step runs can be said; accelerators and shared memory go together."""
    for step in pipeline.steps():
        selector = step.platform.get("nodeSelector", {}).get("nodeSelectorJson", {})
        for what, field in _POOL.items():
            # Where the pool is compiled in, a list without tolerations leaves nothing behind.
            compiled_in = field == "tolerations" and "runtimeValue" in selector
            if not step.platform.get(field) and not compiled_in:
                yield step.where, f"it has no {what}"
        for toleration in step.platform.get("tolerations", []):
            if not toleration:
                yield step.where, "a toleration is empty, and Kubernetes refuses the pod"
        accelerator = step.container.get("resources", {}).get("accelerator", {})
        kind = accelerator.get("resourceType") or accelerator.get("type")
        count = accelerator.get("resourceCount") or accelerator.get("count")
        mounts = step.platform.get("emptyDirMounts", [])
        shared = any(mount.get("mountPath") == SHARED_MEMORY_PATH for mount in mounts)
        if bool(kind) != bool(count):
            yield step.where, "of its accelerators only one of type and count is said"
        if shared != bool(kind):
            lacking = "accelerators" if shared else f"a volume at {SHARED_MEMORY_PATH}"
            yield step.where, f"it is a GPU step without {lacking}"


def users(pipeline: CompiledPipeline) -> Found:
    """A namespace with Pod Security "restricted" refuses a pod that may run as root."""
    for step in pipeline.steps():
        context = step.platform.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or int(context.get("runAsUser", 0)) == 0:
            yield step.where, "it has no runAsNonRoot with the number of a user that is not root"


def evictions(pipeline: CompiledPipeline) -> Found:
    """An autoscaler that packs nodes must not move a step that trains for hours."""
    for step in pipeline.steps():
        given = step.platform.get("podMetadata", {}).get("annotations", {})
        for name, value in ANNOTATIONS.items():
            if given.get(name) != value:
                yield step.where, f"it has no annotation {name}: {value!r}"


def retries(pipeline: CompiledPipeline) -> Found:
    """A step outlives its node: it is stopped, waits longer each time, and may start again."""
    for step in pipeline.steps():
        timeout_s = float(step.platform.get("activeDeadlineSeconds", 0))
        if not timeout_s:
            yield step.where, "it has no timeout"
        policy = step.task.get("retryPolicy", {})
        count = int(policy.get("maxRetryCount", 0))
        if not count:
            yield step.where, "it is not tried again"
            continue
        if not _seconds(policy, "backoffDuration") or policy.get("backoffFactor", 0) <= 1:
            yield step.where, "it is tried again without waiting longer each time"
        if policy.get("backoffFactor", 0) % 1:
            yield step.where, "backoffFactor is not a whole number, and Argo reads it as one"
        if _seconds(policy, "backoffMaxDuration") < (count + 1) * timeout_s:
            yield step.where, "backoffMaxDuration ends before its last attempt may"
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            if "retryPolicy" in task and "dag" in pipeline.component(task):
                yield f"{scope.name}/{key}", "a pipeline is tried again as a whole: steps multiply"


def _seconds(policy: Document, field: str) -> float:
    return float(str(policy.get(field, "0s")).removesuffix("s"))


def loops(pipeline: CompiledPipeline) -> Found:
    """A loop without a limit starts all its pods at once, and users' tasks wait behind them."""
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            limit = task.get("iteratorPolicy", {}).get("parallelismLimit", 0)
            if "parameterIterator" in task and not limit:
                yield f"{scope.name}/{key}", "a loop without a limit of how many run at once"


def conditions(pipeline: CompiledPipeline) -> Found:
    """KFP lets a task follow those that succeeded, and a branch that is skipped has not."""
    for scope in pipeline.scopes():
        conditional = [key for key, task in scope.tasks.items() if _condition(task)]
        if conditional and len(conditional) < len(scope.tasks):
            yield (
                f"{scope.name}/{conditional[0]}",
                "a branch without an else: what follows is left out",
            )


def _condition(task: Document) -> str:
    return str(task.get("triggerPolicy", {}).get("condition", ""))


def images(pipeline: CompiledPipeline) -> Found:
    """What runs today runs tomorrow."""
    for step in pipeline.steps():
        image = str(step.container.get("image", ""))
        if image.startswith("{{") or "@sha256:" in image:
            continue
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if tag in ("", "latest"):
            yield step.where, f"its image {image!r} has {'no tag' if not tag else 'the tag latest'}"


def secrets(pipeline: CompiledPipeline) -> Found:
    """A step that takes a store gets its keys from a secret, and does not start without.

    KFP's launcher runs in the same container, and would take keys called AWS_* for its own bucket.
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
    """No secret is a parameter or a plain variable: both are shown in the user interface."""
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
    """A step that takes a store writes it or depends on it, so an old output is not its output."""
    for step in pipeline.steps():
        cached = step.task.get("cachingOptions", {}).get("enableCache", False)
        if cached and "store" in step.inputs:
            yield step.where, "it has effects on the store, and is cached"


def failures(pipeline: CompiledPipeline) -> Found:
    """A task that waits for the others however they end, and is told how."""
    for task in pipeline.spec["root"]["dag"]["tasks"].values():
        told = any("taskFinalStatus" in source for source in parameters(task).values())
        if told and task.get("triggerPolicy", {}).get("strategy") == _AFTER_ALL:
            return
    yield "root", "no step records how a run failed"


def texts(pipeline: CompiledPipeline) -> Found:
    """The form of a run shows names, types and defaults alone, and the graph a name for each step.

    What must be given is therefore told in the pipeline's own description.
    """
    description = pipeline.spec.get("pipelineInfo", {}).get("description", "")
    if not description:
        yield "root", "the pipeline has no description"
    inputs = pipeline.spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, defined in inputs.items():
        needed = not defined.get("isOptional") and "defaultValue" not in defined
        if needed and not re.search(rf"^{re.escape(name)}: ", description, re.MULTILINE):
            yield "root", f"the pipeline's description does not tell what {name!r} is"
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            inner = pipeline.component(task).get("dag", {}).get("tasks", {}).values()
            branches = bool(inner) and all(map(_condition, inner))  # KFP has no name for these
            if task.get("taskInfo", {}).get("name", key) == key and not branches:
                yield f"{scope.name}/{key}", "it has no display name"
