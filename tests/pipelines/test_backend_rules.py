"""Our pipelines follow every backend rule, and each rule detects a violation."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from nasoa.components.image import USER_ID
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, read
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.step_pods import executor_pod
from tests.pipelines.backend_rules import RULES, BackendRule, pod_problems

IMAGES = Path(__file__).resolve().parents[2] / "images"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CompiledPipeline]:
    folder = tmp_path_factory.mktemp("compiled")
    plain = {
        name: read(catalogue.compile_to(name, folder, CompileOptions()))
        for name in catalogue.PIPELINES
    }
    options = CompileOptions(data_claim="nasoa-data-cache", queue="searches")
    with_claim = read(catalogue.compile_to("search_generation", folder / "claim", options))
    return {**plain, "search_generation with a claim": with_claim}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_our_pipelines_hold_it(rule: BackendRule, compiled: dict[str, CompiledPipeline]) -> None:
    assert {name: list(rule.check(pipeline)) for name, pipeline in compiled.items()} == {
        name: [] for name in compiled
    }


@pytest.mark.parametrize("name", list(catalogue.PIPELINES))
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_without_its_answer_it_is_broken(
    rule: BackendRule, name: str, compiled: dict[str, CompiledPipeline]
) -> None:
    spec, platform = map(copy.deepcopy, map(dict, (compiled[name].spec, compiled[name].platform)))
    rule.undo(spec, platform)
    assert list(rule.check(CompiledPipeline(spec, platform)))


def test_each_row_has_a_name_of_its_own_and_a_source() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.search(r"\b[KA] \S+|manifests/", rule.source) for rule in RULES)


def test_the_api_server_s_refusal_is_what_a_step_without_a_user_gets(
    compiled: dict[str, CompiledPipeline],
) -> None:
    """The message of Kubernetes is `runAsNonRoot != true (container "main")`."""
    step = next(compiled["finetune_task"].steps())
    without = {key: value for key, value in step.platform.items() if key != "securityContext"}
    problems = pod_problems(executor_pod(step.container, without, {}))
    assert problems == ["Pod nasoa/step: container 'main': runAsNonRoot must be true"]


@pytest.mark.parametrize("file", ["cpu.Dockerfile", "gpu.Dockerfile"])
def test_the_user_is_the_image_s(file: str) -> None:
    assert f"\nUSER {USER_ID}:{USER_ID}\n" in (IMAGES / file).read_text(encoding="utf-8")
