"""Find references in a compiled pipeline that lead nowhere; KFP finds them only during a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nasoa.pipelines.compiled_spec import CompiledPipeline, Document, Scope, Step, parameters

Found = Iterator[tuple[str, str]]

PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
_CONDITION = re.compile(r"inputs\.parameter_values\['([^']+)'\]")
# Names of the platform fields that take a parameter end like this.
_PARAMETER_FIELDS = re.compile(r"(?:Json|Parameter)$")


def components(pipeline: CompiledPipeline) -> Found:
    """Check that each task has a component, and each component and platform entry an executor."""
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            component = pipeline.component(task)
            if not component:
                yield f"{scope.name}/{key}", "its component does not exist"
            elif "dag" not in component and component.get("executorLabel") not in (
                pipeline.executors
            ):
                yield f"{scope.name}/{key}", "its executor does not exist"
    for label in pipeline.platform_executors:
        if label not in pipeline.executors:
            yield f"platform/{label}", "this executor does not exist"


def task_inputs(pipeline: CompiledPipeline) -> Found:
    """Check that task inputs come from an input of the scope or an output of a task in it."""
    for scope in pipeline.scopes():
        for key, task in scope.tasks.items():
            where = f"{scope.name}/{key}"
            for kind in ("parameters", "artifacts"):
                given = task.get("inputs", {}).get(kind, {})
                for name, source in given.items():
                    for problem in _source(pipeline, scope, source, kind):
                        yield where, f"its input {name!r} refers to {problem}"
            for problem in _unnamed(scope, task):
                yield where, problem
            for name in _required(pipeline.component(task)) - _provided(task):
                yield where, f"its input {name!r} is not given"


def _source(pipeline: CompiledPipeline, scope: Scope, source: Document, kind: str) -> Iterator[str]:
    """Yield what a source refers to that does not exist."""
    outer = source.get("componentInputParameter") or source.get("componentInputArtifact")
    if outer and outer not in scope.inputs(kind):
        yield f"{outer!r}, which is not an input of {scope.name}"
    for field, output in (
        ("taskOutputParameter", "outputParameterKey"),
        ("taskOutputArtifact", "outputArtifactKey"),
    ):
        if field in source:
            produced = source[field]
            yield from _output(
                pipeline, scope, produced.get("producerTask", ""), produced.get(output, ""), kind
            )
    watched = source.get("taskFinalStatus", {}).get("producerTask")
    if watched and watched not in scope.tasks:
        yield f"the end of {watched!r}, which is not a task"


def _output(
    pipeline: CompiledPipeline, scope: Scope, producer: str, key: str, kind: str
) -> Iterator[str]:
    if producer not in scope.tasks:
        yield f"an output of {producer!r}, which is not a task of {scope.name}"
        return
    outputs = pipeline.component(scope.tasks[producer]).get("outputDefinitions", {})
    if key not in outputs.get(kind, {}):
        yield f"{key!r}, which is not an output of {producer!r}"


def _unnamed(scope: Scope, task: Document) -> Iterator[str]:
    """Check a task's references to its own inputs, and to tasks that it waits for."""
    given = parameters(task)
    for name, source in given.items():
        constant = source.get("runtimeValue", {}).get("constant")
        for inner in PLACEHOLDER.findall(constant) if isinstance(constant, str) else []:
            if inner not in given:
                yield f"its input {name!r} refers to {inner!r}, which it is not given"
    looped = task.get("parameterIterator", {}).get("items", {}).get("inputParameter")
    if looped and looped not in given:
        yield f"it loops over {looped!r}, which it is not given"
    condition = task.get("triggerPolicy", {}).get("condition", "")
    for name in _CONDITION.findall(condition):
        if name not in given:
            yield f"its condition refers to {name!r}, which it is not given"
    for name in task.get("dependentTasks", []):
        if name not in scope.tasks:
            yield f"it waits for {name!r}, which is not a task of {scope.name}"


def _required(component: Document) -> set[str]:
    defined = component.get("inputDefinitions", {}).get("parameters", {})
    return {k for k, d in defined.items() if not d.get("isOptional") and "defaultValue" not in d}


def _provided(task: Document) -> set[str]:
    item = task.get("parameterIterator", {}).get("itemInput")
    return {*parameters(task), *([item] if item else [])}


def outputs(pipeline: CompiledPipeline) -> Found:
    """Check that each output of a pipeline or loop is an output of a task in it."""
    for scope in pipeline.scopes():
        given = scope.component["dag"].get("outputs", {})
        for kind, key in (("parameters", "outputParameterKey"), ("artifacts", "outputArtifactKey")):
            for name, source in given.get(kind, {}).items():
                for chosen in _selectors(source):
                    producer = chosen.get("producerSubtask", "")
                    for problem in _output(pipeline, scope, producer, chosen.get(key, ""), kind):
                        yield scope.name, f"its output {name!r} refers to {problem}"


def _selectors(source: Document) -> list[Document]:
    """Return the sources of an output: one, or one for each branch."""
    single = source.get("valueFromParameter")
    chosen = [single] if single is not None else []
    branches = source.get("valueFromOneof", {}).get("parameterSelectors", [])
    return [*chosen, *branches, *source.get("artifactSelectors", [])]


def resources(pipeline: CompiledPipeline) -> Found:
    """Check that parameters for the image or resources reach the step, as strings."""
    for step in pipeline.steps():
        asked = {"image": step.container.get("image", ""), **_resources(step)}
        for field, value in asked.items():
            for name in PLACEHOLDER.findall(value) if isinstance(value, str) else []:
                if name not in step.inputs:
                    yield step.where, f"{field} refers to {name!r}, which the step is not given"
                elif _kind(step, name) not in ("STRING", None):
                    # The driver reads any other type as an empty string: the limit would be lost.
                    yield step.where, f"{field} is taken from {name!r}, which must be a string"


def _resources(step: Step) -> dict[str, Any]:
    flat = dict(step.container.get("resources", {}))
    flat.update(flat.pop("accelerator", {}))
    return flat


def _kind(step: Step, name: str) -> str | None:
    """Return the type of an input that comes from the scope around the step; None for others."""
    outer = step.inputs[name].get("componentInputParameter")
    kind = step.scope.inputs("parameters").get(outer, {}).get("parameterType")
    return str(kind) if kind else None


def platform_parameters(pipeline: CompiledPipeline) -> Found:
    """Check that parameters for Kubernetes settings are inputs of the scope around the step."""
    for step in pipeline.steps():
        for field, source in _sources(step.platform):
            for problem in _source(pipeline, step.scope, source, "parameters"):
                yield step.where, f"{field} refers to {problem}"


def _sources(settings: Any) -> Iterator[tuple[str, Document]]:
    """Yield all fields of the platform settings that take a parameter."""
    if isinstance(settings, list):
        for one in settings:
            yield from _sources(one)
    elif isinstance(settings, dict):
        for field, value in settings.items():
            if _PARAMETER_FIELDS.search(field) and isinstance(value, dict):
                yield field, value
            else:
                yield from _sources(value)
