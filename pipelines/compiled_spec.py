"""A compiled pipeline, read for checking: its scopes, and the steps in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from nasoa.errors import InvalidInput

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """The tasks of the pipeline itself, or of a pipeline or loop within it.

    Args:
        name: "root", or that of its component.
        component: its specification.
    """

    name: str
    component: Document

    @property
    def tasks(self) -> Document:
        """By key."""
        tasks: Document = self.component["dag"].get("tasks", {})
        return tasks

    def inputs(self, kind: str) -> Document:
        """Definitions of its inputs; `kind` is "parameters" or "artifacts"."""
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
        """For messages."""
        return f"{self.scope.name}/{self.key}"

    @property
    def inputs(self) -> Document:
        """What the task gives its component."""
        return parameters(self.task)


@dataclass(frozen=True)
class CompiledPipeline:
    """The documents of one YAML file of the compiler."""

    spec: Document
    platform: Document

    @property
    def executors(self) -> Document:
        """By label."""
        executors: Document = self.spec.get("deploymentSpec", {}).get("executors", {})
        return executors

    @property
    def platform_executors(self) -> Document:
        """What Kubernetes is told of them, by label."""
        kubernetes = self.platform.get("platforms", {}).get("kubernetes", {})
        executors: Document = kubernetes.get("deploymentSpec", {}).get("executors", {})
        return executors

    def component(self, task: Document) -> Document:
        """A task's component; empty where there is none."""
        name = task.get("componentRef", {}).get("name", "")
        component: Document = self.spec.get("components", {}).get(name, {})
        return component

    def scopes(self) -> Iterator[Scope]:
        """The root and everything in it that has tasks of its own."""
        yield Scope("root", self.spec["root"])
        for name, component in self.spec.get("components", {}).items():
            if "dag" in component:
                yield Scope(name, component)

    def steps(self) -> Iterator[Step]:
        """All tasks that run in a container, by scope."""
        for scope in self.scopes():
            for key, task in scope.tasks.items():
                component = self.component(task)
                label = component.get("executorLabel", "")
                container = self.executors.get(label, {}).get("container")
                if container is not None:
                    platform = self.platform_executors.get(label, {})
                    yield Step(scope, key, task, component, container, platform)


def parameters(task: Document) -> Document:
    """The parameters that a task is given."""
    given: Document = task.get("inputs", {}).get("parameters", {})
    return given


def read(path: Path) -> CompiledPipeline:
    """The pipeline in a file.

    Raises:
        InvalidInput: the file cannot be read, or holds no compiled pipeline.
    """
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidInput(f"expected a compiled pipeline, but {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError):  # dates that are none, nested too deep
        raise InvalidInput(f"expected the YAML of a compiled pipeline in {path}") from None
    if not 1 <= len(documents) <= 2 or not all(isinstance(d, dict) for d in documents):
        raise InvalidInput(f"expected one or two YAML documents in {path}, got {len(documents)}")
    return from_documents(documents[0], documents[1] if len(documents) == 2 else {}, str(path))


def from_documents(spec: Document, platform: Document, source: str) -> CompiledPipeline:
    """The pipeline in documents, its fields called as KFP's compiler calls them.

    Args:
        spec: as it is written.
        platform: as it is written, empty where there is none.
        source: where they come from, for messages.

    Raises:
        InvalidInput: they hold no compiled pipeline.
    """
    try:
        known = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        known_platform = json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        said = " ".join(str(error).split())
        raise InvalidInput(f"expected a pipeline as KFP knows it in {source}: {said}") from None
    if not known.root.dag.tasks:
        raise InvalidInput(f"expected a pipeline with steps in {source}, got none")
    return CompiledPipeline(
        json_format.MessageToDict(known), json_format.MessageToDict(known_platform)
    )
