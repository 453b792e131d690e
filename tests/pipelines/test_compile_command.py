"""`nasoa pipeline compile` and `nasoa pipeline lint`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nasoa.pipelines import catalogue
from tests.pipelines.conftest import Run


@pytest.mark.slow
def test_all_are_compiled_and_clean(run: Run) -> None:
    result = run("pipeline", "compile", "--all", "-o", "out", "--json")
    document = json.loads(result.out)
    assert (result.code, result.err, document["findings"]) == (0, "", [])
    assert document["compiled"] == [f"out/{name}.yaml" for name in catalogue.PIPELINES]
    result = run("pipeline", "lint", *document["compiled"])
    assert (result.code, result.out) == (0, "5 checked, nothing found\n")


def test_options_are_compiled_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOA_SHARED_MEMORY", "1Gi")
    options = ("--secret", "mine-{component}", "--gpu-timeout", "2h")
    assert run("pipeline", "compile", "build-zoo", "-o", "out", *options).code == 0
    _, platform = yaml.safe_load_all(Path("out/build_zoo.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    step = executors["exec-pretrain-zoo"]
    assert step["secretAsEnv"][0]["secretName"] == "mine-pretrain-zoo"
    assert step["activeDeadlineSeconds"] == "7200"
    assert step["emptyDirMounts"][0]["sizeLimit"] == "1Gi"
    assert executors["exec-nsga-select"]["activeDeadlineSeconds"] == "3600"


def test_findings_are_told_and_end_with_1(run: Run) -> None:
    assert run("pipeline", "compile", "build-zoo", "-o", "out").code == 0
    path = Path("out/build_zoo.yaml")
    path.write_text(path.read_text().replace("resourceMemoryLimit", "resourceCpuLimit"))
    result = run("pipeline", "lint", str(path))
    assert result.code == 1
    assert result.out.count("it has no memory limit [limit]\n") == 3
    assert result.err == "nasoa: 3 findings in compiled pipelines\n"
    result = run("pipeline", "lint", str(path), "--json")
    assert len(json.loads(result.out)["findings"]) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("lint", "nowhere.yaml"), "expected a compiled pipeline, but nowhere.yaml: No such file"),
        (("lint", "."), "expected a compiled pipeline, but .: Is a directory"),
        (("compile", "-o", "out"), "expected the name of a pipeline, or --all"),
        (("compile", "--all", "-o", "out", "--secret", "A"), "expected a secret's name"),
        (("compile", "--all", "-o", "out", "--shared-memory", "much"), "shared memory like 8Gi"),
        (("compile", "--all", "-o", "out", "--light-timeout", "soon"), "soon"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: tuple[str, ...], expected: str) -> None:
    result = run("pipeline", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert expected in result.err
    assert not Path("out").exists()
