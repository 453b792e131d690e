"""Site files with defaults of parameters, store and image; and the form for users."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nasoa.cli.cluster_flags import connection
from nasoa.cli.main import build_parser
from nasoa.errors import InvalidInput
from nasoa.pipelines import catalogue
from nasoa.pipelines.authentication import choose
from nasoa.pipelines.compiled_spec import read
from nasoa.pipelines.demands import demands
from nasoa.pipelines.linting import lint
from nasoa.pipelines.options import CompileOptions, compile_options
from tests.pipelines.conftest import Run
from tests.pipelines.kfp_server import KfpServer

SITE = {
    "store": "s3://of-the-site/x",
    "image": "registry.test/nasoa-gpu:7",
    "secret": "one-for-all",
    "parameters": {"gpu_node_selector": {"pool": "offline"}, "light_tolerations": []},
    "pipelines": {
        "finetune-images": {
            "gpu_node_selector": {"pool": "online"},
            "gpu_count": 2,
            "time_limit": "10m",
            "light_tolerations": [
                {"key": "a", "operator": "Exists"},
                {"key": "b", "operator": "Exists"},
            ],
        }
    },
}


@pytest.fixture
def site(tmp_path: Path) -> str:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE))
    return str(path)


def parameters(options: CompileOptions, name: str, folder: Path) -> dict[str, Any]:
    spec = read(catalogue.compile_to(name, folder, options)).spec
    found: dict[str, Any] = spec["root"]["inputDefinitions"]["parameters"]
    return found


def test_files_of_settings_may_be_in_the_home_folder(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell does not expand the ~ of --site=~/site.yaml, and nobody that of a variable."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Path(site).name == "site.yaml"
    for options in (
        compile_options({"site": "~/site.yaml"}, {}),
        compile_options({}, {"NASOA_SITE": "~/site.yaml"}),
    ):
        assert options.site.texts["secret"] == "one-for-all"
    (tmp_path / "token").write_text("abc")
    assert choose(token_file="~/token", environment={}).token_file is not None
    (tmp_path / "ca.pem").touch()
    arguments = build_parser().parse_args(
        ["pipeline", "list-runs", "--host", "https://kfp.test", "--ca-file=~/ca.pem"]
    )
    assert connection(arguments).ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize("name", list(catalogue.DEFINITIONS))
def test_without_a_store_one_must_be_given(name: str, tmp_path: Path) -> None:
    """With a folder of the pod as the default, the model would be lost with the pod."""
    store = parameters(CompileOptions(), name, tmp_path)["store"]
    assert "defaultValue" not in store
    assert not store.get("isOptional")


def test_the_form_for_people_asks_for_little(site: str, tmp_path: Path) -> None:
    asked = parameters(compile_options({"site": site}, {}), "finetune_images", tmp_path)
    assert set(asked) == {"data", "time_limit"}
    assert asked["time_limit"]["defaultValue"] == "10m"
    assert set(parameters(CompileOptions(), "finetune_images", tmp_path)) == {
        "data", "time_limit", "store",
    }  # fmt: skip


@pytest.mark.slow
def test_the_full_form_has_the_site_s_defaults(site: str, tmp_path: Path) -> None:
    options = compile_options({"site": site}, {})
    asked = parameters(options, "finetune_task", tmp_path)
    assert asked["store"]["defaultValue"] == "s3://of-the-site/x"
    assert asked["gpu_node_selector"]["defaultValue"] == {"pool": "offline"}
    assert asked["gpu_count"]["defaultValue"] == "1"
    for name in catalogue.DEFINITIONS:
        path = catalogue.compile_to(name, tmp_path, options)
        assert lint(path) == []
        for step in read(path).steps():
            assert step.container["image"] == "registry.test/nasoa-gpu:7"
            assert step.platform["secretAsEnv"][0]["secretName"] == "one-for-all"


def test_what_is_compiled_in_reaches_the_steps(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = compile_options({"site": site}, {})
    built = catalogue.find("finetune_images", options)
    monkeypatch.setitem(catalogue.PIPELINES, "finetune_images", built)
    asked = {demand.step: demand for demand in demands("finetune_images", {})}
    assert asked["finetune"].selector == {"pool": "online"}
    assert (asked["finetune"].accelerator, asked["finetune"].count) == ("nvidia.com/gpu", 2)
    for step in ("record-failure", "predict-regime"):
        assert [t["key"] for t in asked[step].tolerations] == ["a", "b"]
        assert asked[step].selector == {}


def test_flags_then_variables_then_the_site(site: str) -> None:
    variables = {"NASOA_SITE": site, "NASOA_STORE": "s3://of-the-shell", "NASOA_SECRET": "shell"}
    options = compile_options({"secret": "flag"}, variables)
    assert (options.secret, options.store) == ("flag", "s3://of-the-shell")
    assert options.image == "registry.test/nasoa-gpu:7"
    assert compile_options({}, {"NASOA_STORE": "./.nasoa"}).store == ""
    assert compile_options({}, {"NASOA_SITE": site, "NASOA_STORE": "x"}).store == SITE["store"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"stores": "s3://x"}, "did you mean store"),
        ({"store": 5.5}, "expected text for store"),
        ({"store": ""}, "expected text for store"),
        ({"parameters": ["a"]}, "expected a mapping of names for parameters"),
        ({"pipelines": {"finetune_task": 5}}, "for pipelines.finetune_task"),
        ({"pipelines": {"finetune": {}}}, "unknown pipeline in the site file 'finetune'"),
        ({"pipelines": {"build_zoo": {"seed": 1}}}, "unknown parameter of build_zoo 'seed'"),
        ({"parameters": {"gpu_node_selectors": {}}}, "did you mean gpu_node_selector"),
        ({"parameters": {"gpu_tolerations": {}}}, "expected a list as the default of"),
        ({"parameters": {"seed": "x"}}, "expected a whole number as the default of 'seed'"),
        ({"parameters": {"gpu_memory_limit": "1Gi"}}, "gpu_memory_limit to be gpu_memory_request"),
        ({"shared_memory": "much"}, "shared memory like 8Gi"),
        ([1], "expected a mapping of names for the site file"),
    ],
)
def test_mistakes_in_the_file_are_one_line(run: Run, content: Any, expected: str) -> None:
    Path("site.yaml").write_text(yaml.safe_dump(content))
    result = run("pipeline", "compile", "--all", "--site", "site.yaml", "-o", "out")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert expected in result.err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "text", ["store: 2026-13-45", "store: 0x_", "[" * 5000, "store: " + "9" * 5000]
)
def test_yaml_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="expected YAML in the site file"):
        compile_options({"site": str(path)}, {})


def test_a_number_that_is_too_long() -> None:
    with pytest.raises(InvalidInput, match="expected a parallelism like 16"):
        compile_options({"parallelism": "9" * 5000}, {})


@pytest.mark.slow
def test_a_file_that_is_none(run: Run) -> None:
    result = run("pipeline", "compile", "--all", "--site", "nowhere.yaml", "-o", "out")
    assert "expected a site file, but nowhere.yaml: No such file" in result.err
    Path("odd.yaml").write_text("{")
    result = run("pipeline", "compile", "--all", "--site", "odd.yaml", "-o", "out")
    assert "expected YAML in the site file odd.yaml" in result.err
    Path("empty.yaml").write_text("")
    assert run("pipeline", "compile", "--all", "--site", "empty.yaml", "-o", "out").code == 0


@pytest.mark.slow
def test_the_command_s_store_is_compiled_in(run: Run) -> None:
    assert run("pipeline", "compile", "--all", "--store", "s3://here/x", "-o", "out").code == 0
    for path in Path("out").iterdir():
        store = read(path).spec["root"]["inputDefinitions"]["parameters"].get("store")
        assert store is None or store["defaultValue"] == "s3://here/x"


def test_a_run_needs_no_store_where_the_site_has_one(
    run: Run, host: str, kfp: KfpServer, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("pipeline", "run", "finetune-task", "-p", "data=s3://x/photos", "--host", host)
    assert "a store that the pods can reach" in run(*given).err
    built = catalogue.find("finetune_task", compile_options({"site": site}, {}))
    monkeypatch.setitem(catalogue.PIPELINES, "finetune_task", built)
    result = run(*given, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["parameters"] == {"data": "s3://x/photos"}
    result = run(*given, "--store", "s3://mine", "--json")
    assert json.loads(result.out)["parameters"]["store"] == "s3://mine"
