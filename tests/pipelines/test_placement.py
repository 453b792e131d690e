"""Where steps run, as a cluster reads it from the compiled pipelines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import InvalidInput
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, Step, read
from nasoa.pipelines.demands import Demand, demands
from nasoa.pipelines.options import CompileOptions, compile_options
from nasoa.pipelines.placement import OFFLINE, ONLINE, POOL_PARAMETERS
from nasoa.pipelines.pod_settings import STORE_VARIABLES

GPU_STEPS = {
    "finetune_task": {"compute-meta-features", "finetune"},
    "search_generation": {"encode-and-build", "evaluate-arch"},
    "build_zoo": {"pretrain-zoo"},
    "meta_train": {"collect-experience"},
}
SELECTOR = {"nasoa/pool": "online"}
TAINT = {"key": "spot", "operator": "Exists"}


def steps(name: str, folder: Path, **options: Any) -> dict[str, Step]:
    path = catalogue.compile_to(name, folder, CompileOptions(**options))
    return {step.key: step for step in read(path).steps()}


def by_pool(name: str, **arguments: Any) -> tuple[list[Demand], list[Demand]]:
    """Return what GPU steps request, and what light steps request."""
    asked = demands(name, arguments)
    gpu = [demand for demand in asked if demand.step in GPU_STEPS[name]]
    return gpu, [demand for demand in asked if demand not in gpu]


@pytest.mark.parametrize("name", list(GPU_STEPS))
def test_the_two_pools_are_told_apart(name: str) -> None:
    gpu, light = by_pool(
        name, gpu_count="2", gpu_node_selector=SELECTOR, gpu_tolerations=[TAINT],
        light_node_selector={"pool": "cpu"},
    )  # fmt: skip
    assert {demand.step for demand in gpu} == GPU_STEPS[name]
    assert {(d.accelerator, d.count) for d in gpu} == {("nvidia.com/gpu", 2)}
    assert all((d.selector, d.tolerations) == (SELECTOR, (TAINT,)) for d in gpu)
    assert "record-failure" in {demand.step for demand in light}
    assert all(d.selector == {"pool": "cpu"} and not d.tolerations for d in light)
    assert {d.accelerator for d in light} == {None}


@pytest.mark.parametrize("name", list(GPU_STEPS))
def test_a_run_without_gpus(name: str) -> None:
    gpu, _ = by_pool(name, gpu_count="0")
    assert {(demand.accelerator, demand.count) for demand in gpu} == {(None, 0)}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(GPU_STEPS))
def test_each_step_has_the_keys_of_its_component_alone(name: str, tmp_path: Path) -> None:
    for demand in demands(name, {}):
        keys = {name: name for name in STORE_VARIABLES}
        # If a component is used twice, the name of the second step has a number.
        assert demand.secrets == {f"nasoa-s3-{demand.step.removesuffix('-2')}": keys}
    for key, step in steps(name, tmp_path, secret="one").items():
        (used,) = step.platform["secretAsEnv"]
        assert (used["secretName"], used["optional"]) == ("one", False), key


def test_what_is_compiled_in(tmp_path: Path) -> None:
    found = steps(
        "search_generation",
        tmp_path,
        shared_memory="2Gi",
        scratch="7Gi",
        light_timeout_s=60,
        gpu_timeout_s=600,
    )
    mounts = [
        (mount["mountPath"], mount.get("medium", ""), mount["sizeLimit"])
        for mount in found["evaluate-arch"].platform["emptyDirMounts"]
    ]
    assert mounts == [("/dev/shm", "Memory", "2Gi"), ("/tmp", "", "7Gi")]
    assert found["evaluate-arch"].platform["activeDeadlineSeconds"] == "600"
    assert found["nsga-select"].platform["activeDeadlineSeconds"] == "60"
    assert "emptyDirMounts" not in found["nsga-select"].platform


@pytest.mark.parametrize("retries", [ONLINE, OFFLINE])
def test_the_last_attempt_may_take_as_long_as_the_first(retries: Any) -> None:
    waits = [retries.backoff_s * 2**i for i in range(retries.count)]
    assert retries.window_s(100) == 100 * (retries.count + 1) + sum(waits)


def test_nothing_is_tried_again_where_that_is_said(tmp_path: Path) -> None:
    for step in steps("build_zoo", tmp_path, retried=False).values():
        assert "retryPolicy" not in step.task


def test_groups_of_parameters_are_told_by_their_prefixes() -> None:
    names = [parameter.name for parameter in POOL_PARAMETERS]
    assert names == sorted(names, key=lambda name: not name.startswith("gpu_"))
    assert {name.split("_")[0] for name in names} == {"gpu", "light"}
    for described in catalogue.describe():
        own = list(described["parameters"])
        if described["name"] != "finetune_images":
            assert own[-len(names) :] == names
        assert all(described["parameters"][name]["description"].endswith(".") for name in own)


def test_options_come_from_the_command_line_then_the_environment() -> None:
    variables = {"NASOA_SECRET": "mine", "NASOA_GPU_TIMEOUT": "2h", "NASOA_SHARED_MEMORY": ""}
    assert compile_options({}, variables) == CompileOptions(secret="mine", gpu_timeout_s=7200)
    given = {"secret": "s-{component}", "gpu_timeout": None, "light_timeout": "90s", "name": "x"}
    assert compile_options(given, variables) == CompileOptions(
        secret="s-{component}", gpu_timeout_s=7200, light_timeout_s=90
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"secret": "Upper"}, "a secret's name"),
        ({"secret": "{step}"}, "a secret's name"),
        ({"shared_memory": "8 GB"}, "shared memory like 8Gi"),
        ({"shared_memory": "0Gi"}, "shared memory like 8Gi"),
        ({"scratch": "much"}, "scratch like 8Gi"),
        ({"data_claim": "The claim"}, "a claim's name"),
        ({"queue": "a queue"}, "a Kubernetes label in the queue"),
        ({"gpu_timeout": "soon"}, "soon"),
        ({"gpu_timeout": "0.5s"}, "a second or more"),
        ({"alert_secret": "My secret"}, "a secret's name of a-z"),
        ({"run_ttl": "10s"}, "a run_ttl between 1m and 68 years, got 10 s"),
        ({"run_deadline": "0.5s"}, "a run_deadline between 1s and 68 years, got 0 s"),
        ({"run_deadline": "999999h"}, "a run_deadline between"),
    ],
)
def test_options_that_cannot_be(given: dict[str, str | None], expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        compile_options(given, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["search_generation", "build_zoo", "meta_train"])
def test_a_loop_leaves_room_for_others(name: str, tmp_path: Path) -> None:
    options = compile_options({"parallelism": "3"}, {})
    pipeline = read(catalogue.compile_to(name, tmp_path, options))
    limits = [
        task["iteratorPolicy"]["parallelismLimit"]
        for scope in pipeline.scopes()
        for task in scope.tasks.values()
        if "parameterIterator" in task
    ]
    assert limits == [3]
    for wrong in ("0", "-1", "many", "²"):
        with pytest.raises(InvalidInput, match="a parallelism"):
            compile_options({"parallelism": wrong}, {})


def test_a_search_that_has_ended_starts_no_pod_on_gpus(tmp_path: Path) -> None:
    """All GPU steps are in the branch for a search that has not ended."""
    pipeline = read(catalogue.compile_to("search_generation", tmp_path))
    goes_on, ended = (
        {step.key for step in pipeline.steps() if step.scope.name in within}
        for within in (("comp-condition-3", "comp-for-loop-2"), ("comp-condition-4",))
    )
    assert goes_on == {*GPU_STEPS["search_generation"], "show-search"}
    assert ended == {"show-search-2"}


@pytest.mark.slow
def test_other_options_are_another_pipeline(tmp_path: Path) -> None:
    usual = read(catalogue.compile_to("build_zoo", tmp_path))
    other = read(
        catalogue.compile_to("build_zoo", tmp_path, replace(CompileOptions(), secret="other"))
    )
    assert usual.spec == other.spec
    assert usual != CompiledPipeline(other.spec, other.platform)
