"""Files and texts of pipelines: a site's YAML, compiled pipelines, parameters, addresses."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from nasoa.errors import InvalidInput
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, from_documents, read
from nasoa.pipelines.connection import address
from nasoa.pipelines.linting import lint_pipeline
from nasoa.pipelines.options import CompileOptions, compile_options
from nasoa.pipelines.parameters import typed
from tests.fuzz.given import place
from tests.fuzz.json_trees import mutated
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged_text, odd_text, some
from tests.fuzz.oracle import check_lines

# Who reads it, and the text.
Case = tuple[str, str]
SITE: dict[str, Any] = {
    "store": "s3://nasoa/x",
    "image": "registry.test/nasoa-gpu:7",
    "secret": "nasoa-s3-{component}",
    "labels": {"team": "vision"},
    "parallelism": 4,
    "light_timeout": "1h",
    "shared_memory": "8Gi",
    "parameters": {"gpu_node_selector": {"pool": "offline"}, "light_tolerations": []},
    "pipelines": {"finetune-images": {"gpu_count": 2, "queue": "tasks", "labels": {"a": "b"}}},
}
_ODD = (
    *(
        "2026-13-45",
        "2026-11-29T99:99:99",
        "!!python/object/apply:os.mkdir [run]",
        "0x",
        "0b",
        "0o9",
    ),
    *(
        "1:99",
        "190:20:30",
        "1_000",
        ".nan",
        ".inf",
        "~",
        "yes",
        "!!binary '!!!'",
        "!!float x",
        "<<",
    ),
    *(
        "!!int ''",
        "&a [*a]",
        "*b",
        "!!timestamp x",
        "!!set {a}",
        "? {a: b}\n: c",
        "!!omap [a]",
        "=",
    ),
    *("[" * 3000, "{a: " * 1500, "- " * 1500, "9" * 5000, "%YAML 9.9", "---\n---", "\t", "a: b: c"),
    *(
        "!!map [a]",
        "!!pairs [a]",
        "'",
        '"\\ud800"',
        '"\\x',
        "|9\n x",
        "@",
        "`",
        "!<x>",
        "? ",
        "- -",
    ),
)
_PARAMETERS = (
    *("data=x.zip", "time_limit=30s", "gpu_tolerations=[]", "gpu_node_selector={}", "seed=3"),
    *('gpu_node_selector={"a": "b"}', "light_memory_limit=4Gi", "gpu_count=1", "explore=0.1"),
    'gpu_tolerations=[{"key": "a", "operator": "Exists"}]',
)


# A compiled pipeline of one step, as KFP's compiler writes it.
COMPILED: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "pipelineInfo": {"name": "small"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "components": {
            "comp-step": {
                "executorLabel": "exec-step",
                "inputDefinitions": {"parameters": {"data": {"parameterType": "STRING"}}},
                "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
            }
        },
        "deploymentSpec": {
            "executors": {
                "exec-step": {
                    "container": {
                        "image": "registry.test/nasoa:7",
                        "command": ["python"],
                        "args": ["-c", "{{$.inputs.parameters['data']}}"],
                        "resources": {"memoryLimit": 4.0, "resourceMemoryLimit": "4Gi"},
                    }
                }
            }
        },
        "root": {
            "dag": {
                "tasks": {
                    "step": {
                        "cachingOptions": {"enableCache": True},
                        "componentRef": {"name": "comp-step"},
                        "inputs": {"parameters": {"data": {"componentInputParameter": "data"}}},
                        "retryPolicy": {"maxRetryCount": 2, "backoffFactor": 2.0},
                        "taskInfo": {"name": "step"},
                        "triggerPolicy": {"condition": "inputs.parameter_values['data'] == 'x'"},
                    }
                }
            },
            "inputDefinitions": {"parameters": {"data": {"parameterType": "STRING"}}},
        },
    },
    {
        "platforms": {
            "kubernetes": {
                "deploymentSpec": {
                    "executors": {
                        "exec-step": {
                            "securityContext": {"runAsUser": "1000", "runAsNonRoot": True},
                            "podMetadata": {"annotations": {"a": "b"}},
                            "secretAsEnv": [{"secretName": "s", "keyToEnv": []}],
                            "activeDeadlineSeconds": "3600",
                        }
                    }
                }
            }
        }
    },
)


_ADDRESSES = ("https://kubeflow.example.com/pipeline", "http://[::1]:8080/", "http://u:p@x/#a")


# With loops, branches, nested pipelines, artifacts, accelerators, secrets, and a last step.
_WHOLE = ("search_generation", "finetune_task")


@cache
def _pipeline() -> Any:
    return catalogue.find("finetune-task")


@cache
def _whole() -> list[str]:
    """Pipelines of the catalogue, compiled: each the JSON of a list of two documents."""
    with TemporaryDirectory() as folder:
        paths = [catalogue.compile_to(name, Path(folder), CompileOptions()) for name in _WHOLE]
        found = [list(yaml.safe_load_all(path.read_text())) for path in paths]
    return [json.dumps(documents, sort_keys=True) for documents in found]


def make(rng: Random) -> Case:
    choice = rng.random()
    if choice < 0.35:
        return "site", _site(rng)
    if choice < 0.45:
        return "address", damaged_text(rng, some(rng, _ADDRESSES))
    if choice < 0.8:
        text = some(rng, _PARAMETERS)
        key, _, value = text.partition("=")
        odd = (
            odd_text(rng),
            damaged_text(rng, value),
            "[" * 5000,
            '{"a":' * 3000,
            "9" * 5000,
            "NaN",
        )
        return "parameter", f"{key}={some(rng, odd)}"
    if choice < 0.93:
        return "documents", _of_whole(rng)
    documents = [json.dumps(document) for document in COMPILED]
    which = rng.randrange(2)
    documents[which] = mutated(rng, copy.deepcopy(COMPILED[which]))
    text = "\n---\n".join(documents)
    if rng.random() < 0.2:
        text = damaged_text(rng, text)
    return "compiled", text


def _of_whole(rng: Random) -> str:
    """Documents as the compiler writes them, mutated: two of JSON, which is read faster."""
    documents = json.loads(some(rng, _whole()))
    which = rng.randrange(2)
    texts = [json.dumps(document) for document in documents]
    texts[which] = mutated(rng, documents[which])
    return f"[{','.join(texts)}]"


def _site(rng: Random) -> str:
    text = yaml.safe_dump(SITE) if rng.random() < 0.6 else mutated(rng, copy.deepcopy(SITE))
    if rng.random() < 0.6:
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        lines[at] = lines[at].partition(":")[0] + ": " + some(rng, _ODD)
        text = "\n".join(lines)
    return damaged_text(rng, text) if rng.random() < 0.3 else text


def run(case: Case, folder: Path) -> None:
    what, text = case
    if what == "address":
        address(text)
        return
    if what == "parameter":
        key, _, value = text.partition("=")
        pipeline = _pipeline()
        typed(pipeline, {"data": "x.zip", "time_limit": "30s", "store": "s3://b/x", key: value})
        return
    if what == "documents":
        _lint(from_documents(*_two(text), "given"))
        return
    path = place(folder, "given.yaml", text.encode("utf-8", "surrogatepass"))
    if what == "site":
        compile_options({"site": str(path)}, {})
    else:
        _lint(read(path))


def _two(text: str) -> tuple[Any, Any]:
    try:
        spec, platform = json.loads(text)
    except (ValueError, RecursionError) as error:  # neither JSON nor YAML
        raise InvalidInput(type(error).__name__) from None
    return spec, platform


def _lint(pipeline: CompiledPipeline) -> None:
    check_lines(str(finding) for finding in lint_pipeline(pipeline, "given"))


def warm_up() -> Iterable[Case]:
    return [
        ("site", yaml.safe_dump(SITE)),
        ("address", _ADDRESSES[0]),
        ("compiled", "\n---\n".join(json.dumps(document) for document in COMPILED)),
        *(("documents", text) for text in _whole()),
        *(("parameter", text) for text in _PARAMETERS[:4]),
    ]


KIND = Kind(make, run, warm_up)
