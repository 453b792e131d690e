"""The linter finds nothing in our pipelines, and each rule finds its fault in a broken one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kfp.compiler import Compiler

from nasoa.errors import InvalidInput
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, from_documents, read
from nasoa.pipelines.linting import RULES, lint, lint_pipeline
from nasoa.pipelines.options import CompileOptions
from tests.pipelines.pooled_pipeline import dangling

LOOP = "comp-for-loop-2"
GROUP = "comp-condition-3"
STEPS = "comp-search-generation-steps"
Mutation = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledPipeline:
    """Return a pipeline with a loop, both pools, artifacts and a last step."""
    folder = tmp_path_factory.mktemp("compiled")
    return read(catalogue.compile_to("search_generation", folder, CompileOptions()))


def rules_found(pipeline: CompiledPipeline) -> set[str]:
    return {finding.rule for finding in lint_pipeline(pipeline, "file")}


@pytest.mark.parametrize("name", list(catalogue.PIPELINES))
def test_our_pipelines_are_clean(name: str, tmp_path: Path) -> None:
    assert lint(catalogue.compile_to(name, tmp_path, CompileOptions())) == []


def task(spec: dict[str, Any], scope: str, key: str) -> Any:
    component = spec["root"] if scope == "root" else spec["components"][scope]
    return component["dag"]["tasks"][key]


def executor(spec: dict[str, Any], name: str) -> Any:
    return spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]


def kubernetes(platform: dict[str, Any], name: str) -> Any:
    return platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][f"exec-{name}"]


def inputs(spec: dict[str, Any], scope: str, key: str) -> Any:
    return task(spec, scope, key)["inputs"]["parameters"]


MUTATIONS: dict[str, tuple[str, Mutation]] = {
    "a component is gone": ("component", lambda s, p: s["components"].pop("comp-show-search")),
    "an executor is gone": (
        "component",
        lambda s, p: s["deploymentSpec"]["executors"].pop("exec-show-search"),
    ),
    "a platform entry is of nothing": (
        "component",
        lambda s, p: p["platforms"]["kubernetes"]["deploymentSpec"]["executors"].update(x={}),
    ),
    "an input of the pipeline is gone": (
        "input",
        lambda s, p: s["root"]["inputDefinitions"]["parameters"].pop("store"),
    ),
    "an output's task is gone": ("input", lambda s, p: (
        inputs(s, GROUP, "show-search")["evaluated"]["taskOutputParameter"].update(
            producerTask="nobody"
        )
    )),
    "an output is gone": ("input", lambda s, p: (
        s["components"]["comp-nsga-select"]["outputDefinitions"]["parameters"].pop("Output")
    )),
    "a needed input is not given": (
        "input",
        lambda s, p: inputs(s, GROUP, "show-search").pop("search"),
    ),
    "an input that a placeholder names is not given": (
        "input",
        lambda s, p: inputs(s, LOOP, "evaluate-arch").pop("pipelinechannel--gpu_count"),
    ),
    "a loop has nothing to go over": ("input", lambda s, p: (
        inputs(s, GROUP, "for-loop-2").pop("pipelinechannel--encode-and-build-Output")
    )),
    "a task waits for nobody": (
        "input",
        lambda s, p: task(s, GROUP, "show-search").update(dependentTasks=["nobody"]),
    ),
    "the end of nobody is watched": ("input", lambda s, p: (
        inputs(s, "root", "record-failure")["status"]["taskFinalStatus"].update(
            producerTask="nobody"
        )
    )),
    "a condition asks for what is not there": ("input", lambda s, p: (
        task(s, GROUP, "show-search").update(
            triggerPolicy={"condition": "inputs.parameter_values['x'] == 1"}
        )
    )),
    "an artifact of nobody": ("input", lambda s, p: (
        task(s, GROUP, "show-search")["inputs"].update(artifacts={
            "a": {"taskOutputArtifact": {"producerTask": "x", "outputArtifactKey": "y"}}
        })
    )),
    "the pipeline's output is of nobody": ("output", lambda s, p: (
        s["root"]["dag"]["outputs"]["parameters"]["Output"]["valueFromParameter"].update(
            producerSubtask="nobody"
        )
    )),
    "an artifact that is given out is not there": ("output", lambda s, p: (
        s["components"][STEPS]["dag"]["outputs"].update(artifacts={"a": {"artifactSelectors": [
            {"producerSubtask": "show-search", "outputArtifactKey": "nothing"}
        ]}})
    )),
    "a resource's parameter does not reach the step": (
        "resource",
        lambda s, p: inputs(s, LOOP, "evaluate-arch").pop("pipelinechannel--gpu_memory_limit"),
    ),
    "a resource's parameter is a number": ("resource", lambda s, p: (
        s["components"][GROUP]["inputDefinitions"]["parameters"][
            "pipelinechannel--gpu_count"
        ].update(parameterType="NUMBER_INTEGER")
    )),
    "a pool's parameter is not of the loop": ("platform", lambda s, p: (
        kubernetes(p, "evaluate-arch")["nodeSelector"]["nodeSelectorJson"].update(
            componentInputParameter="gpu_node_selector"
        )
    )),
    "a toleration comes from nobody": ("platform", lambda s, p: (
        kubernetes(p, "nsga-select")["tolerations"][0].update(tolerationJson={
            "taskOutputParameter": {"producerTask": "x", "outputParameterKey": "y"}
        })
    )),
    "no memory limit": (
        "limit",
        lambda s, p: executor(s, "nsga-select")["resources"].pop("resourceMemoryLimit"),
    ),
    "no CPU request": (
        "limit",
        lambda s, p: executor(s, "evaluate-arch")["resources"].pop("resourceCpuRequest"),
    ),
    "no node selector": (
        "pool",
        lambda s, p: kubernetes(p, "evaluate-arch").pop("nodeSelector"),
    ),
    "no tolerations": ("pool", lambda s, p: kubernetes(p, "show-search").pop("tolerations")),
    "an empty toleration": (
        "pool",
        lambda s, p: kubernetes(p, "show-search")["tolerations"].append({}),
    ),
    "no affinity": ("pool", lambda s, p: kubernetes(p, "evaluate-arch").pop("nodeAffinity")),
    "a GPU step without accelerators": (
        "pool",
        lambda s, p: executor(s, "evaluate-arch")["resources"].pop("accelerator"),
    ),
    "accelerators of no type": ("pool", lambda s, p: (
        executor(s, "evaluate-arch")["resources"]["accelerator"].pop("resourceType")
    )),
    "a GPU step without shared memory": (
        "pool",
        lambda s, p: kubernetes(p, "evaluate-arch").pop("emptyDirMounts"),
    ),
    "may run as root": (
        "user",
        lambda s, p: kubernetes(p, "nsga-select").pop("securityContext"),
    ),
    "runs as root": (
        "user",
        lambda s, p: kubernetes(p, "nsga-select")["securityContext"].update(runAsUser="0"),
    ),
    "may be moved": (
        "eviction",
        lambda s, p: kubernetes(p, "evaluate-arch")["podMetadata"]["annotations"].pop(
            "karpenter.sh/do-not-disrupt"
        ),
    ),
    "keys that the launcher would read": ("secret", lambda s, p: (
        kubernetes(p, "nsga-select")["secretAsEnv"][0]["keyToEnv"].append(
            {"secretKey": "x", "envVar": "AWS_ACCESS_KEY_ID"}
        )
    )),
    "no retry": ("retry", lambda s, p: task(s, LOOP, "evaluate-arch").pop("retryPolicy")),
    "no backoff": (
        "retry",
        lambda s, p: task(s, LOOP, "evaluate-arch")["retryPolicy"].update(backoffDuration="0s"),
    ),
    "KFP's own end of retries": ("retry", lambda s, p: (
        task(s, LOOP, "evaluate-arch")["retryPolicy"].update(backoffMaxDuration="3600s")
    )),
    "a factor that Argo cannot read": ("retry", lambda s, p: (
        task(s, LOOP, "evaluate-arch")["retryPolicy"].update(backoffFactor=1.5)
    )),
    "a pipeline is tried again": ("retry", lambda s, p: (
        task(s, "root", STEPS.removeprefix("comp-")).update(retryPolicy={"maxRetryCount": 2})
    )),
    "no timeout": (
        "retry",
        lambda s, p: kubernetes(p, "evaluate-arch").pop("activeDeadlineSeconds"),
    ),
    "a loop without a limit": (
        "loop",
        lambda s, p: task(s, GROUP, "for-loop-2").pop("iteratorPolicy"),
    ),
    "a branch without an else": ("branch", lambda s, p: (
        task(s, STEPS, "nsga-select").update(triggerPolicy={"condition": "true"})
    )),
    "the tag latest": ("image", lambda s, p: executor(s, "nsga-select").update(image="a/b:latest")),
    "no tag": (
        "image",
        lambda s, p: executor(s, "nsga-select").update(image="localhost:5000/nasoa"),
    ),
    "no secret": ("secret", lambda s, p: kubernetes(p, "nsga-select").pop("secretAsEnv")),
    "half a secret": (
        "secret",
        lambda s, p: kubernetes(p, "nsga-select")["secretAsEnv"][0]["keyToEnv"].pop(),
    ),
    "a secret that may be missing": (
        "secret",
        lambda s, p: kubernetes(p, "nsga-select")["secretAsEnv"][0].update(optional=True),
    ),
    "a secret as a variable": ("secret-name", lambda s, p: (
        executor(s, "nsga-select").update(env=[{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}])
    )),
    "an effect that is cached": ("cache", lambda s, p: (
        task(s, STEPS, "nsga-select").update(cachingOptions={"enableCache": True})
    )),
    "failures are not recorded": (
        "failure",
        lambda s, p: s["root"]["dag"]["tasks"].pop("record-failure"),
    ),
    "the last step does not wait": (
        "failure",
        lambda s, p: task(s, "root", "record-failure").pop("triggerPolicy"),
    ),
    "a needed parameter that nothing explains": ("text", lambda s, p: (
        s["pipelineInfo"].update(description="A search.")
    )),
    "a step without a display name": (
        "text",
        lambda s, p: task(s, STEPS, "nsga-select")["taskInfo"].update(name="nsga-select"),
    ),
    "a pipeline without a description": ("text", lambda s, p: s["pipelineInfo"].pop("description")),
}  # fmt: skip


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_rule_finds(compiled: CompiledPipeline, what: str) -> None:
    rule, mutate = MUTATIONS[what]
    spec, platform = copy.deepcopy(dict(compiled.spec)), copy.deepcopy(dict(compiled.platform))
    mutate(spec, platform)
    assert rule in rules_found(CompiledPipeline(spec, platform))


def test_every_rule_is_broken_here() -> None:
    assert {rule for rule, _ in MUTATIONS.values()} == set(RULES)


def test_what_kfp_leaves_dangling_in_a_loop(tmp_path: Path) -> None:
    """KFP's compiler itself produces this dangling reference."""
    path = tmp_path / "dangling.yaml"
    Compiler().compile(dangling, str(path))
    (found,) = [finding for finding in lint(path) if finding.rule == "input"]
    assert found.where.endswith("/heavy-alone")
    assert "'pipelinechannel--count' refers to 'pipelinechannel--count'" in found.message
    assert "which is not an input of comp-for-loop-" in found.message


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(choice=st.integers(min_value=0))
def test_any_reference_that_is_bent_is_found(compiled: CompiledPipeline, choice: int) -> None:
    """Change each name that refers to something, one at a time."""
    spec, platform = copy.deepcopy(dict(compiled.spec)), copy.deepcopy(dict(compiled.platform))
    references = [*_references(spec), *_references(platform)]
    holder, field = references[choice % len(references)]
    holder[field] = "nowhere"
    assert rules_found(CompiledPipeline(spec, platform)) & {
        "component", "input", "output", "platform"
    }  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(choices=st.lists(st.integers(min_value=0), min_size=1, max_size=3))
def test_whatever_is_missing_the_linter_ends(
    compiled: CompiledPipeline, choices: list[int]
) -> None:
    documents = [copy.deepcopy(dict(compiled.spec)), copy.deepcopy(dict(compiled.platform))]
    for choice in choices:
        holders = [*_mappings(documents[0]), *_mappings(documents[1])]
        holder = holders[choice % len(holders)]
        holder.pop(sorted(holder)[choice % len(holder)])
    try:
        pipeline = from_documents(documents[0], documents[1], "file")
    except InvalidInput:
        return
    assert all("\n" not in str(finding) for finding in lint_pipeline(pipeline, "file"))


def _mappings(document: Any) -> list[dict[str, Any]]:
    """Return all mappings in a document that are not empty."""
    if isinstance(document, list):
        return [found for value in document for found in _mappings(value)]
    if not isinstance(document, dict):
        return []
    inner = [found for value in document.values() for found in _mappings(value)]
    return [document, *inner] if document else inner


def _references(document: Any) -> list[tuple[Any, str]]:
    named = (
        "componentInputParameter", "producerTask", "producerSubtask", "outputParameterKey",
        "executorLabel", "inputParameter",
    )  # fmt: skip
    found: list[tuple[Any, str]] = []
    if isinstance(document, dict):
        found += [(document, key) for key in document if key in named]
        for value in document.values():
            found += _references(value)
    elif isinstance(document, list):
        for value in document:
            found += _references(value)
    return found


SECRET_LIKE = ["password", "AWS_SECRET_ACCESS_KEY", "api_key", "db-token", "s3_credentials"]


@pytest.mark.parametrize("name", SECRET_LIKE)
def test_parameters_that_look_like_secrets(compiled: CompiledPipeline, name: str) -> None:
    spec = copy.deepcopy(dict(compiled.spec))
    spec["root"]["inputDefinitions"]["parameters"][name] = {"isOptional": True}
    assert rules_found(CompiledPipeline(spec, compiled.platform)) == {"secret-name"}


@pytest.mark.parametrize("name", ["secretary", "keyword", "tokenizer", "cells_from"])
def test_parameters_that_do_not(compiled: CompiledPipeline, name: str) -> None:
    spec = copy.deepcopy(dict(compiled.spec))
    spec["root"]["inputDefinitions"]["parameters"][name] = {"isOptional": True}
    assert rules_found(CompiledPipeline(spec, compiled.platform)) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "the YAML of a compiled pipeline"),
        ("- 1\n", "one or two YAML documents"),
        ("", "one or two YAML documents"),
        ("a: 1\n---\nb: 1\n---\nc: 1\n", "got 3"),
        ("sdkVersion: kfp\n", "with steps"),
        ("apiVersion: v1\nkind: Pod\n", "a compiled KFP pipeline"),
    ],
)
def test_what_is_no_pipeline_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=expected):
        lint(path)


def test_a_finding_is_one_line(compiled: CompiledPipeline) -> None:
    spec = yaml.safe_load(yaml.safe_dump(dict(compiled.spec)))
    spec["pipelineInfo"].pop("description")
    found = list(lint_pipeline(CompiledPipeline(spec, compiled.platform), "a.yaml"))
    assert str(found[0]) == "a.yaml: root: the pipeline has no description [text]"
    spec["components"]["comp\n\x1b[2Jtwo"] = {"dag": {"tasks": {"a": {}}}}
    shown = [str(one) for one in lint_pipeline(CompiledPipeline(spec, compiled.platform), "a.yaml")]
    assert "a.yaml: comp\\n\\x1b[2Jtwo/a: its component does not exist [component]" in shown
