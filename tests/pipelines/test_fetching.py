"""Data that the pods of a run share is copied once, to the claim that a site compiles in."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, read
from nasoa.pipelines.linting import lint
from nasoa.pipelines.local import _contained
from nasoa.pipelines.options import CompileOptions

CLAIM = "nasoa-data-cache"
READING = {
    "search_generation": {"encode-and-build", "evaluate-arch"},
    "build_zoo": {"pretrain-zoo"},
    "meta_train": {"collect-experience"},
}


def with_claim(name: str, folder: Path) -> CompiledPipeline:
    path = catalogue.compile_to(name, folder, CompileOptions(data_claim=CLAIM))
    assert lint(path) == []
    return read(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(READING))
def test_whoever_reads_it_mounts_it_and_waits_for_the_copy(name: str, tmp_path: Path) -> None:
    pipeline = with_claim(name, tmp_path)
    mounting = {}
    for step in pipeline.steps():
        for mount in step.platform.get("pvcMount", []):
            mounting[step.key] = step
            assert mount["pvcNameParameter"]["runtimeValue"]["constant"] == CLAIM
            variables = {v["name"]: v["value"] for v in step.container["env"]}
            assert variables["NASOA_DATA_CACHE"] == mount["mountPath"] == "/cache"
            assert variables["NASOA_CACHE_DIR"].startswith("/tmp/")
    assert set(mounting) == {*READING[name], "fetch-data"}
    (scope,) = (scope for scope in pipeline.scopes() if "fetch-data" in scope.tasks)
    waiting = {
        key for key, task in scope.tasks.items() if "fetch-data" in task.get("dependentTasks", [])
    }
    # A step that reads data waits for the copy, or is in a loop after such a step.
    (first,) = waiting
    assert first in READING[name] or "parameterIterator" in scope.tasks[first]
    fetching = mounting["fetch-data"]
    assert "accelerator" not in fetching.container["resources"]
    assert fetching.platform["activeDeadlineSeconds"] == str(24 * 3600)


@pytest.mark.parametrize("name", ["finetune_task", "finetune_images"])
def test_users_data_is_never_where_others_could_read_it(name: str, tmp_path: Path) -> None:
    for step in with_claim(name, tmp_path).steps():
        assert "pvcMount" not in step.platform
        assert "NASOA_DATA_CACHE" not in {v["name"] for v in step.container["env"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(READING))
def test_without_a_claim_there_is_no_such_step(name: str, tmp_path: Path) -> None:
    pipeline = read(catalogue.compile_to(name, tmp_path, CompileOptions()))
    assert not [step for step in pipeline.steps() if "pvcMount" in step.platform]
    assert "fetch-data" not in {step.key for step in pipeline.steps()}


def test_the_component_runs_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the component through KFP, with nothing to copy because no data is in a bucket."""
    from kfp import local

    from nasoa.components.fetch_data import fetch_data

    monkeypatch.setenv("NASOA_DATA_CACHE", str(tmp_path / "cache"))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "out"))
    with _contained(verbose=False, begins=lambda _component: None):
        task = fetch_data(data="sklearn:digits", data_sets=["torchvision:MNIST"])
    assert task.outputs["Output"] == 0
    assert Path(task.outputs["summary"].path).read_text() == "Nothing to copy.\n"
