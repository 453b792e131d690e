"""Each set of parameters in examples/parameters is valid for its pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nasoa.cli.main import build_parser
from nasoa.duration import parse_duration
from nasoa.pipelines import catalogue
from nasoa.pipelines.linting import lint
from nasoa.pipelines.options import compile_options
from nasoa.pipelines.pool_values import check
from nasoa.pipelines.publishing import compiled
from nasoa.steps import searches

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "parameters"
TYPES = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


def load(name: str) -> dict[str, Any]:
    values = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def test_there_is_one_for_each_pipeline() -> None:
    """The exception is the one that only asks for the data and a time limit."""
    named = {path.stem.replace("-", "_") for path in EXAMPLES.iterdir()}
    assert named | {"finetune_images"} == set(catalogue.PIPELINES)


@pytest.mark.slow
def test_the_site_compiles_and_leaves_little_to_ask(tmp_path: Path) -> None:
    options = compile_options({"site": str(EXAMPLES.parent / "site.yaml")}, {})
    assert lint(catalogue.compile_to("finetune_images", tmp_path, options)) == []
    asked = catalogue.find("finetune_images", options).component_spec.inputs
    assert {name: spec.optional for name, spec in asked.items()} == {
        "data": False,
        "time_limit": True,
    }


@pytest.mark.parametrize("name", [path.stem for path in sorted(EXAMPLES.iterdir())])
def test_it_fits_the_compiled_pipeline(name: str) -> None:
    values = load(name)
    with compiled(name) as package:
        spec = next(yaml.safe_load_all(package.read_text(encoding="utf-8")))
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    assert set(values) <= set(inputs)
    required = {key for key, one in inputs.items() if not one.get("isOptional")}
    assert required <= set(values)
    assert any(name.startswith("gpu_") for name in values)
    check(values)
    for key, value in values.items():
        assert type(value) is TYPES[inputs[key]["parameterType"]], key
        if key.endswith("_limit") and key.split("_")[0] in ("time", "run"):
            assert parse_duration(value) > 0


def test_the_settings_of_the_search_are_known() -> None:
    values = load("search-generation")
    settings = json.loads(values["settings"])
    stopping = {"max_evaluations", "patience"}
    config = searches.configure(
        values["store"],
        space=values["space"],
        data=values["data"],
        scale=values["scale"],
        **{name: value for name, value in settings.items() if name not in stopping},
    )
    assert config.num_children == 64
    assert stopping <= set(settings)


def test_the_command_beside_the_task_parses() -> None:
    text = (EXAMPLES / "finetune-task.yaml").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "nasoa pipeline run" in line]
    arguments = build_parser().parse_args(line.split("nasoa ", 1)[1].split())
    given = dict(pair.split("=", 1) for pair in arguments.parameters)
    assert given.items() <= load("finetune-task").items()
