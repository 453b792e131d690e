"""What docs/cluster.md tells to type exists: commands parse, paths, targets and links are there."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kfp
import pytest
import yaml

from nasoa.cli.main import build_parser
from nasoa.pipelines import catalogue
from nasoa.pipelines.options import compile_options
from nasoa.pipelines.parameters import typed, typed_where_known
from scripts.manifests.bundle import BuildFailed, build, kubectl, overlays
from scripts.store_secrets import IDENTITIES, Namespaces, new_keys, store_secrets

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cluster.md"
TEXT = PAGE.read_text(encoding="utf-8")
FOLDERS = "benchmarks|components|docs|examples|images|manifests|pipelines|scripts|tests"
# Words of a command line end where another command begins.
END = ("|", "&&", ";")


def indented() -> list[str]:
    """Lines that are to be typed; one that goes on ends in a backslash."""
    whole = re.sub(r"\\\n +", "", TEXT)
    return [line.strip() for line in whole.splitlines() if re.match(r" {4,}\S", line)]


def quoted() -> list[str]:
    """What stands in backticks, across line breaks."""
    plain = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", plain)]


def commands(program: str) -> Iterator[list[str]]:
    """The arguments of each command line of a program."""
    for line in [*indented(), *quoted()]:
        if re.match(rf"{program} \S", line):
            words = shlex.split(line)
            ends = [words.index(word) for word in END if word in words]
            yield words[1 : min(ends, default=len(words))]


NASOA = list(commands("nasoa"))


@pytest.mark.parametrize("words", NASOA, ids=" ".join)
def test_each_command_parses(words: list[str]) -> None:
    build_parser().parse_args(words)


# Step 7 of the guide exports the store.
AS_EXPORTED = compile_options(environment={"NASOA_STORE": "s3://nasoa"})


@cache
def exported(name: str) -> Any:
    """The pipeline as it is compiled then."""
    return catalogue.find(name, AS_EXPORTED)


@pytest.mark.slow
def test_parameters_of_pipelines_are_theirs() -> None:
    found = set()
    for words in NASOA:
        arguments = build_parser().parse_args(words)
        if getattr(arguments, "parameters", None):
            pairs = dict(text.split("=", 1) for text in arguments.parameters)
            if words[0] == "doctor":
                pipeline = catalogue.find(arguments.pipeline)
                assert typed_where_known(pipeline, pairs).keys() == pairs.keys()
            else:
                typed(exported(arguments.name), pairs)
                found.add(arguments.name)
    assert found == {name.replace("_", "-") for name in catalogue.PIPELINES}


def test_torchrun_starts_a_command_that_parses() -> None:
    (typed_here,) = [code for code in quoted() if "nasoa.training.torchrun" in code]
    job = yaml.safe_load((ROOT / "manifests/runs/pretrain-zoo/train-job.yaml").read_text())
    trainer = job["spec"]["trainer"]
    assert shlex.split(typed_here) == [*trainer["command"], *trainer["args"]]
    assert trainer["command"] == ["python", "-m", "nasoa.training.torchrun", "-m", "nasoa"]
    arguments = build_parser().parse_args(trainer["args"])
    assert (arguments.search, arguments.scale) == ("macro", "paper")


def test_each_path_is_there() -> None:
    found = set(re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*[\w])", TEXT))
    assert len(found) >= 8
    assert [path for path in sorted(found) if not (ROOT / path).exists()] == []


def test_each_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert len(links) >= 5
    for link in links:
        path, _, anchor = link.partition("#")
        page = (PAGE.parent / path).resolve() if path else PAGE
        assert page.exists(), link
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, link


def test_what_make_manifests_is_said_to_print() -> None:
    """The number of each overlay's documents."""
    try:
        kubectl()
    except BuildFailed as error:
        pytest.skip(str(error))
    told = re.findall(r"(?m)^ +([\w-]+): (\d+) documents, ok: build/manifests/\1\.yaml$", TEXT)
    built = {overlay.name: str(len(build(overlay).installed)) for overlay in overlays()}
    assert dict(told) == built


def test_namespaces_of_keys_are_options_of_the_script() -> None:
    """Each line that makes keys names where runs are, in its mode."""
    lines = [line for line in indented() if "store_secrets.py" in line]
    assert {line.partition("--endpoint ")[2].partition(" |")[0] for line in lines} == {
        "http://seaweedfs.nasoa-store:8333 --namespace kubeflow",
        "http://seaweedfs.nasoa-store:8333 --search-namespace nasoa-search",
    }


def test_each_secret_with_keys_is_made_where_it_is_looked_for() -> None:
    """`keys_of SECRET NAMESPACE`, in either mode of KFP."""
    named = [line.split()[1:] for line in indented() if line.startswith("keys_of nasoa")]
    assert {name for name, _ in named} >= {"nasoa-s3", "nasoa-s3-upload", "nasoa-s3-admin"}
    identities = [line.split()[0] for line in IDENTITIES.read_text().splitlines()]
    for tasks, search in (("kubeflow", "kubeflow"), ("nasoa", "nasoa-search")):
        keys = {name: new_keys() for name in identities}
        made = store_secrets(
            keys, new_keys(), "http://s3", Namespaces(tasks, search, "nasoa-store")
        )
        there = {(d["metadata"]["name"], d["metadata"]["namespace"]) for d in made}
        for name, where in named:
            wanted = {tasks, search} if where == "$NASOA_RUNS" else {where}
            assert {namespace for n, namespace in there if n == name} & wanted, name


# Whose keys a verb needs, of manifests/base/store/identities; test_component_rights.py tries them.
KEYS = {
    "pipeline reconcile": "nasoa-s3-reconcile",
    "predictor rebuild": "nasoa-s3",
    "predict s3": "nasoa-s3",
    "predictor rollback": "nasoa-s3",
    "search show": "nasoa-s3-reconcile",
    "store compact": "nasoa-s3-compact-experience",
    "store metrics": "nasoa-s3-metrics",
    "zoo list": "nasoa-s3",
}


def test_each_command_has_the_keys_that_it_needs() -> None:
    """Those of the last `keys_of` before it; sections follow each other on the page."""
    given, asked = "", dict[str, set[str]]()
    for line in indented():
        if line.startswith("keys_of nasoa"):
            given = line.split()[1]
        for verb in KEYS:
            if line.startswith(f"nasoa {verb}"):
                asked.setdefault(verb, set()).add(given)
    assert asked == {verb: {name} for verb, name in KEYS.items()}


def test_each_target_of_make_is_there() -> None:
    rules = set(re.findall(r"(?m)^([a-z][\w-]*):", (ROOT / "Makefile").read_text()))
    asked = {words[0] for words in commands("make")}
    assert asked
    assert asked <= rules


def test_each_module_is_there() -> None:
    modules = [words[1] for words in commands("python") if words[0] == "-m"]
    assert modules
    for module in modules:
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()


def test_the_example_of_the_sdk_calls_what_there_is() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    checked = 0
    for call in calls:
        if isinstance(call.func, ast.Attribute) and hasattr(kfp.Client, call.func.attr):
            signature = inspect.signature(getattr(kfp.Client, call.func.attr))
            signature.bind(None, *call.args, **{k.arg: None for k in call.keywords if k.arg})
            checked += 1
    assert checked == 2
