"""A compiled pipeline, parsed for checks: its scopes and the steps in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec import pipeline_spec_pb2

from nasoa.errors import InvalidInput
from nasoa.pipelines.yaml_files import documents

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """The tasks of the pipeline itself, or of a pipeline or loop within it.

    Args:
        name: "root", or the name of the component.
        component: specification of the component.
    """

    name: str
    component: Document

    @property
    def tasks(self) -> Document:
        """Tasks by key."""
        tasks: Document = self.component["dag"].get("tasks", {})
        return tasks

    def inputs(self, kind: str) -> Document:
        """Return the definitions of its inputs; `kind` is "parameters" or "artifacts"."""
        inputs: Document = self.component.get("inputDefinitions", {}).get(kind, {})
        return inputs


@dataclass(frozen=True)
class Step:
    """A task that runs in a container."""

    scope: Scope
    key: str
    task: Document
    component: Document
    container: Document
    platform: Document

    @property
    def where(self) -> str:
        """Location of the step, for messages."""
        return f"{self.scope.name}/{self.key}"

    @property
    def inputs(self) -> Document:
        """Parameters that the task passes to its component."""
        return parameters(self.task)


@dataclass(frozen=True)
class CompiledPipeline:
    """The documents of one YAML file of the compiler."""

    spec: Document
    platform: Document

    @property
    def executors(self) -> Document:
        """Executors by label."""
        executors: Document = self.spec.get("deploymentSpec", {}).get("executors", {})
        return executors

    @property
    def platform_executors(self) -> Document:
        """Kubernetes settings of the executors, by label."""
        kubernetes = self.platform.get("platforms", {}).get("kubernetes", {})
        executors: Document = kubernetes.get("deploymentSpec", {}).get("executors", {})
        return executors

    def component(self, task: Document) -> Document:
        """Return the component of a task; empty if it does not exist."""
        name = task.get("componentRef", {}).get("name", "")
        component: Document = self.spec.get("components", {}).get(name, {})
        return component

    def scopes(self) -> Iterator[Scope]:
        """Yield the root and every component that has tasks of its own."""
        yield Scope("root", self.spec["root"])
        for name, component in self.spec.get("components", {}).items():
            if "dag" in component:
                yield Scope(name, component)

    def steps(self) -> Iterator[Step]:
        """Yield all tasks that run in a container, scope by scope."""
        for scope in self.scopes():
            for key, task in scope.tasks.items():
                component = self.component(task)
                label = component.get("executorLabel", "")
                container = self.executors.get(label, {}).get("container")
                if container is not None:
                    platform = self.platform_executors.get(label, {})
                    yield Step(scope, key, task, component, container, platform)


def parameters(task: Document) -> Document:
    """Return the parameters that a task is given."""
    given: Document = task.get("inputs", {}).get("parameters", {})
    return given


def read(path: Path) -> CompiledPipeline:
    """Read a compiled pipeline from a file.

    Raises:
        InvalidInput: the file cannot be read, or is not a compiled pipeline.
    """
    try:
        found = documents(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"expected a compiled pipeline, but {path}: {error.strerror}") from None
    except ValueError:  # `NotYaml`, or bytes that are not UTF-8
        raise InvalidInput(f"expected the YAML of a compiled pipeline in {path}") from None
    if not 1 <= len(found) <= 2 or not all(isinstance(document, dict) for document in found):
        raise InvalidInput(f"expected one or two YAML documents in {path}, got {len(found)}")
    return from_documents(found[0], found[1] if len(found) == 2 else {}, str(path))


def from_documents(spec: Document, platform: Document, source: str) -> CompiledPipeline:
    """Parse a compiled pipeline from documents with the field names of KFP's compiler.

    Args:
        spec: pipeline specification.
        platform: platform specification; empty if there is none.
        source: origin of the documents, for messages.

    Raises:
        InvalidInput: the documents are not a compiled pipeline.
    """
    try:
        known = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        known_platform = json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        pipeline = CompiledPipeline(
            _with_executors(json_format.MessageToDict(known)),
            _with_pods(json_format.MessageToDict(known_platform)),
        )
    except Exception as error:  # protobuf raises nearly anything, and `TypeError` is what it means
        said = " ".join(str(error).split()) or type(error).__name__
        raise InvalidInput(f"expected a compiled KFP pipeline in {source}: {said}") from None
    if not known.root.dag.tasks:
        raise InvalidInput(f"expected a pipeline with steps in {source}, got none")
    return pipeline


def _with_executors(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification in which containers are parsed: KFP takes any document there."""
    deployment = pipeline_spec_pb2.PipelineDeploymentConfig()
    return {**spec, "deploymentSpec": _parsed(spec.get("deploymentSpec"), deployment)}


def _with_pods(platform: dict[str, Any]) -> dict[str, Any]:
    """Return a platform specification in which the settings of pods are parsed, for Kubernetes."""
    for config in platform.get("platforms", {}).values():
        executors = config.get("deploymentSpec", {}).get("executors", {})
        for label, found in executors.items():
            executors[label] = _parsed(found, KubernetesExecutorConfig())
    return platform


def _parsed(found: object, message: Message) -> dict[str, Any]:
    """Return a document as a message, without fields that this release of KFP does not know."""
    json_format.ParseDict(found or {}, message, ignore_unknown_fields=True)
    document: dict[str, Any] = json_format.MessageToDict(message)
    return document
