"""The catalogue of pipelines, and what they are compiled to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from nasoa.errors import UnknownName
from nasoa.pipelines import catalogue


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = catalogue.compile_to("finetune-task", tmp_path_factory.mktemp("compiled"))
    assert path.name == "finetune_task.yaml"
    return next(yaml.safe_load_all(path.read_text()))


def test_the_document_is_one_that_kfp_knows(document: dict[str, Any]) -> None:
    spec = json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
    assert spec.pipeline_info.name == "finetune-task"
    assert set(spec.root.dag.tasks) == {"finetune-task-steps", "record-failure"}
    assert set(spec.components["comp-finetune-task-steps"].dag.tasks) == {
        "compute-meta-features",
        "predict-regime",
        "finetune",
        "update-predictor",
    }


def test_a_component_is_one_import_and_one_call(document: dict[str, Any]) -> None:
    for executor in document["deploymentSpec"]["executors"].values():
        container = executor["container"]
        source = "\n".join(container["command"])
        body = source[source.index('"""', source.index('"""') + 3) :]
        assert len(re.findall(r"^    (?:from|import) ", body, re.MULTILINE)) == 1
        assert len(re.findall(r"^    return \w+\.\w+\(", body, re.MULTILINE)) == 1
        assert "pip install" not in source
        assert container["image"].startswith("nasoa:")


def test_parameters_read_well(document: dict[str, Any]) -> None:
    (described,) = (d for d in catalogue.describe() if d["name"] == "finetune_task")
    parameters = described["parameters"]
    assert list(parameters)[:6] == ["data", "store", "time_limit", "seed", "clock", "method"]
    assert [name for name, p in parameters.items() if p["required"]] == ["data", "store"]
    inputs = document["root"]["inputDefinitions"]["parameters"]
    for name, parameter in parameters.items():
        assert parameter["description"].endswith(".")
        assert inputs[name]["description"] == parameter["description"]


def test_the_description_says_what_the_form_does_not(document: dict[str, Any]) -> None:
    description = document["pipelineInfo"]["description"]
    first, *lines = description.split("\n\n")
    assert first.endswith(".")
    told = dict(line.split(": ", 1) for line in lines)
    assert list(told) == ["data", "store", "time_limit", "seed", "clock", "method"]
    inputs = document["root"]["inputDefinitions"]["parameters"]
    assert all(inputs[name]["description"] == text for name, text in told.items())


def test_a_folder_gets_the_file_and_nothing_else(tmp_path: Path) -> None:
    catalogue.compile_to("finetune_task", tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["finetune_task.yaml"]


def test_an_unknown_pipeline_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean finetune_task"):
        catalogue.find("finetunetask")
