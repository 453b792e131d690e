"""What the pods of a pipeline request from a cluster: images, secrets, pools and accelerators.

It is read from the compiled pipeline and the values of its parameters: for each executor, the chain
of inputs is followed from the pipeline's parameters. Values that depend on a running step stay
unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from nasoa.pipelines import catalogue
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.publishing import compiled
from nasoa.pipelines.step_pods import claim_name, executor_pod

_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
_UNKNOWN = object()


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What the pod of one step requests.

    Args:
        pipeline, step: names of the pipeline and the step.
        image: image of the container; empty if known only at run time.
        selector: labels that its node must have; None if known only at run time.
        tolerations: mappings with Kubernetes' fields key, operator, value, effect.
        accelerator: name of the resource, like nvidia.com/gpu, or None.
        count: number of accelerators.
        secrets: for each secret by name, the environment variables by key.
        claims: names of the PersistentVolumeClaims that it mounts.
        pod: the pod specification that KFP will create; empty if the image or a size is known only
            at run time.
        metadata: labels and annotations of the pod.
    """

    pipeline: str
    step: str
    image: str
    selector: dict[str, str] | None
    tolerations: tuple[dict[str, str], ...]
    accelerator: str | None
    count: int
    secrets: dict[str, dict[str, str]]
    claims: tuple[str, ...]
    pod: dict[str, Any]
    metadata: dict[str, Any]


def demands(
    name: str, arguments: Mapping[str, Any], options: CompileOptions | None = None
) -> list[Demand]:
    """Return what each step of a pipeline requests.

    Args:
        name: name of the pipeline in the catalogue.
        arguments: values of parameters, of their types; the others have their defaults.
        options: compile options; by default those of the environment.
    """
    with compiled(name, options) as package:
        spec, *more = yaml.safe_load_all(package.read_text(encoding="utf-8"))
    platform = more[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if more else {}
    inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {key: arguments.get(key, p.get("defaultValue")) for key, p in inputs.items()}
    title = catalogue.find(name).pipeline_spec.pipeline_info.name
    found = []
    for step, label, parent, own in _executors(spec, spec["root"], values):
        container = spec["deploymentSpec"]["executors"][label].get("container")
        if container is not None:
            found.append(_demand(title, step, container, platform.get(label, {}), parent, own))
    return found


Bindings = Mapping[str, Any]


def _executors(
    spec: Any, component: Any, bindings: Bindings
) -> Iterator[tuple[str, str, Bindings, Bindings]]:
    """Yield step, executor, values of the pipeline around the step, and the step's inputs."""
    for name, task in component.get("dag", {}).get("tasks", {}).items():
        inner = spec["components"][task["componentRef"]["name"]]
        given = task.get("inputs", {}).get("parameters", {})
        own = {key: _value(source, bindings) for key, source in given.items()}
        if "executorLabel" in inner:
            yield name, inner["executorLabel"], bindings, own
        else:
            yield from _executors(spec, inner, own)


def _value(source: Mapping[str, Any], bindings: Bindings) -> Any:
    """Return the value of an input: a constant, a parameter of the outer pipeline, or unknown."""
    if "componentInputParameter" in source:
        return bindings.get(source["componentInputParameter"], _UNKNOWN)
    if "runtimeValue" in source:
        return _filled(source["runtimeValue"].get("constant"), bindings)
    return _UNKNOWN


def _filled(value: Any, bindings: Bindings) -> Any:
    """Replace the placeholders of a text with their values; unknown if one of them is."""
    if not isinstance(value, str):
        return value
    names = _PLACEHOLDER.findall(value)
    if any(bindings.get(name, _UNKNOWN) is _UNKNOWN for name in names):
        return _UNKNOWN
    return _PLACEHOLDER.sub(lambda match: str(bindings[match[1]]), value)


def _demand(
    pipeline: str, step: str, container: Any, platform: Any, parent: Bindings, own: Bindings
) -> Demand:
    asked = container.get("resources", {}).get("accelerator", {})
    accelerator = _filled(asked.get("resourceType") or asked.get("type"), own)
    count = _filled(asked.get("resourceCount") or asked.get("count") or "0", own)
    image = _filled(container["image"], own)
    known = isinstance(accelerator, str) and accelerator and str(count).isdigit()
    accelerators = {accelerator: str(count)} if known and int(count) else {}
    selector = _selector(platform.get("nodeSelector", {}), parent)
    tolerations = tuple(_tolerations(platform.get("tolerations", []), parent))
    resources = _resources(container.get("resources", {}), own, accelerators)
    placed = {
        "image": image,
        "resources": resources,
        "nodeSelector": selector,
        "tolerations": tolerations,
    }
    complete = isinstance(image, str) and selector is not None and resources is not None
    return Demand(
        pipeline=pipeline,
        step=step,
        image=image if isinstance(image, str) else "",
        selector=selector,
        tolerations=tolerations,
        accelerator=next(iter(accelerators), None),
        count=int(count) if known else 0,
        secrets={
            use["secretName"]: {pair["secretKey"]: pair["envVar"] for pair in use["keyToEnv"]}
            for use in platform.get("secretAsEnv", [])
            if use.get("secretName")
        },
        claims=tuple(filter(None, map(claim_name, platform.get("pvcMount", [])))),
        pod=executor_pod(container, platform, placed) if complete else {},
        metadata=platform.get("podMetadata", {}),
    )


def _resources(
    given: Mapping[str, Any], own: Bindings, accelerators: Mapping[str, str]
) -> dict[str, dict[str, str]] | None:
    """Return requests and limits of the container; None if one is known only at run time."""
    found: dict[str, dict[str, str]] = {"requests": {}, "limits": dict(accelerators)}
    for kind in ("cpu", "memory"):
        for part, field in (("requests", "Request"), ("limits", "Limit")):
            value = _filled(given.get(f"resource{kind.capitalize()}{field}", ""), own)
            if value is _UNKNOWN:
                return None
            if value:
                found[part][kind] = str(value)
    return found


def _selector(given: Any, parent: Bindings) -> dict[str, str] | None:
    if "nodeSelectorJson" in given:
        value = _parsed(_value(given["nodeSelectorJson"], parent))
        if value is not None and not isinstance(value, dict):
            return None
        return {str(k): str(v) for k, v in (value or {}).items()}
    return dict(given.get("labels", {}))


def _tolerations(given: list[Any], parent: Bindings) -> Iterator[dict[str, str]]:
    for toleration in given:
        if "tolerationJson" not in toleration:
            yield toleration
            continue
        value = _parsed(_value(toleration["tolerationJson"], parent))
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and one:
                yield one


def _parsed(value: Any) -> Any:
    """Parse a mapping or list, which KFP also accepts as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) and value else value or None
    except ValueError:
        return _UNKNOWN
