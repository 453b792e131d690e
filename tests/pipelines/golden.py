"""Summaries of compiled pipelines, and the goldens that they are compared with.

`python -m tests.pipelines.golden` rewrites tests/pipelines/goldens; review the diff.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from nasoa.components.image import IMAGE
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, Step, read
from nasoa.pipelines.options import CompileOptions

FOLDER = Path(__file__).resolve().parent / "goldens"
_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['(?:pipelinechannel--)?([^']+)'\]\}\}")


def golden(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def summary(name: str) -> dict[str, Any]:
    """Summarize a pipeline of the catalogue, compiled with the default options."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = read(catalogue.compile_to(name, Path(folder), CompileOptions()))
    info, root = pipeline.spec["pipelineInfo"], pipeline.spec["root"]
    return {
        "name": info["name"],
        "display_name": info["displayName"],
        "parameters": {
            key: _parameter(defined)
            for key, defined in root["inputDefinitions"]["parameters"].items()
        },
        "tasks": {scope.name: _tasks(pipeline, scope.tasks) for scope in pipeline.scopes()},
        "steps": {step.where: _step(step) for step in pipeline.steps()},
    }


def _parameter(defined: dict[str, Any]) -> str:
    if "defaultValue" not in defined:
        return str(defined["parameterType"])
    default = f" = {json.dumps(defined['defaultValue'], sort_keys=True)}"
    return str(defined["parameterType"]) + default


def _tasks(pipeline: CompiledPipeline, tasks: Any) -> dict[str, Any]:
    """Summarize the tasks: what waits for what, and what loops."""
    return {
        key: {
            "shown_as": task["taskInfo"]["name"],
            "after": task.get("dependentTasks", []),
            **(
                {"loop": f"{task['iteratorPolicy']['parallelismLimit']} at once"}
                if "parameterIterator" in task
                else {}
            ),
            **({"when": _trigger(task["triggerPolicy"])} if "triggerPolicy" in task else {}),
        }
        for key, task in tasks.items()
    }


def _trigger(policy: dict[str, Any]) -> str:
    return str(policy.get("strategy") or policy["condition"])


def _step(step: Step) -> dict[str, Any]:
    platform = step.platform
    retry = step.task["retryPolicy"]
    (secret,) = platform["secretAsEnv"]
    return {
        "image": "IMAGE" if step.container["image"] == IMAGE else step.container["image"],
        "resources": _short(step.container["resources"]),
        "secret": secret["secretName"],
        "variables": sorted(pair["envVar"] for pair in secret["keyToEnv"]),
        "environment": {v["name"]: v["value"] for v in step.container["env"]},
        "user": platform["securityContext"],
        "annotations": platform["podMetadata"]["annotations"],
        "pool": [
            _origin(platform["nodeSelector"]["nodeSelectorJson"]),
            *(_origin(t["tolerationJson"]) for t in platform.get("tolerations", [])),
            *(_origin(a["nodeAffinityJson"]) for a in platform["nodeAffinity"]),
        ],
        "volumes": {m["mountPath"]: m["sizeLimit"] for m in platform.get("emptyDirMounts", [])},
        "timeout_s": int(platform["activeDeadlineSeconds"]),
        "retry": f"{retry['maxRetryCount']} x from {retry['backoffDuration']}, "
        f"{retry['backoffMaxDuration']} in all",
        "cached": step.task["cachingOptions"].get("enableCache", False),
        "inputs": sorted(step.component["inputDefinitions"]["parameters"]),
        "outputs": sorted(
            key for kind in step.component["outputDefinitions"].values() for key in kind
        ),
    }


def _origin(source: dict[str, Any]) -> Any:
    """Return the name of a parameter, or the value that is compiled in."""
    if "componentInputParameter" in source:
        return source["componentInputParameter"]
    return source["runtimeValue"]["constant"]


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    return _PLACEHOLDER.sub(r"<\1>", value) if isinstance(value, str) else value


def renew() -> None:
    for name in catalogue.PIPELINES:
        text = yaml.safe_dump(summary(name), sort_keys=True, width=100)
        (FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew()
