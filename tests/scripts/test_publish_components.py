"""What others load of our components is what the code compiles to, in the form that they know."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import components

from nasoa.components.image import IMAGE
from scripts.publish_components import COMPONENTS, FILES, FOLDER, component, published

NAMES = sorted(COMPONENTS)
# scripts/validate_metadata/validate_metadata.py of kubeflow/pipelines-components.
REQUIRED = ["name", "stability", "dependencies", "lastVerified"]
STABILITY = ("experimental", "alpha", "beta", "stable")
VERSION = re.compile(r"(?:>=|<=|==)\d+\.\d+\.\d+")


def test_each_of_the_eight_is_there_and_nothing_else() -> None:
    assert len(NAMES) == 8
    assert sorted(path.name for path in FOLDER.iterdir()) == NAMES
    for name in NAMES:
        assert sorted(path.name for path in (FOLDER / name).iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_the_code_compiles_to(name: str) -> None:
    """`python -m scripts.publish_components` renews them."""
    made = published(name)
    found = {file: (FOLDER / name / file).read_text(encoding="utf-8") for file in FILES}
    documents = [
        list(yaml.safe_load_all(text["component.yaml"].replace(IMAGE, "IMAGE")))
        for text in (made, {**found, "component.yaml": as_compiled(found["component.yaml"])})
    ]
    assert documents[0] == documents[1]
    for file in ("README.md", "metadata.yaml"):
        assert made[file] == found[file]


def as_compiled(text: str) -> str:
    """With the image that pipelines are compiled with here."""
    return re.sub(r"image: nasoa:\S+", f"image: {IMAGE}", text)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_loaded_and_asks_for_what_the_code_asks_for(name: str) -> None:
    loaded = components.load_component_from_file(str(FOLDER / name / "component.yaml"))
    for part in ("inputs", "outputs"):
        asked, of_code = (
            {key: kind(spec) for key, spec in getattr(found.component_spec, part).items()}
            for found in (loaded, component(name))
        )
        assert asked == of_code


def kind(spec: Any) -> tuple[str, Any]:
    """A type without what a compiled file does not keep: of what a list is."""
    plain = spec.type.removeprefix("typing.").partition("[")[0]
    return plain, getattr(spec, "default", None)


@pytest.mark.parametrize("name", NAMES)
def test_metadata_are_as_the_catalogue_of_kubeflow_wants_them(name: str) -> None:
    document = yaml.safe_load((FOLDER / name / "metadata.yaml").read_text(encoding="utf-8"))
    assert [key for key in document if key != "tags"] == REQUIRED
    assert document["name"] == name
    assert document["stability"] in STABILITY
    assert isinstance(document["lastVerified"], datetime)
    assert document["lastVerified"].tzinfo is not None
    assert all(isinstance(tag, str) for tag in document["tags"])
    dependencies = document["dependencies"]
    assert set(dependencies) == {"kubeflow", "external_services"}
    assert "Pipelines" in {dependency["name"] for dependency in dependencies["kubeflow"]}
    for dependency in (*dependencies["kubeflow"], *dependencies["external_services"]):
        assert VERSION.fullmatch(dependency["version"])


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_tells_every_input_and_output(name: str) -> None:
    text = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    spec = component(name).component_spec
    for key in (*spec.inputs, *spec.outputs):
        (row,) = re.findall(rf"^\| `{key}` \|.*\| (.+) \|$", text, re.M)
        assert row.endswith((".", ".)")), row
    links = re.findall(r"\]\((\.\./[^)]+)\)", text)
    assert links
    assert all((FOLDER / name / link).resolve().is_file() for link in links)


def test_a_component_that_changes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = published("predict_regime")
    changed = component("predict_regime").python_func
    monkeypatch.setattr(changed, "__doc__", changed.__doc__.replace("Rank", "Order"))
    assert published("predict_regime")["README.md"] != before["README.md"]


def test_nothing_of_this_machine_is_in_the_files() -> None:
    for name in NAMES:
        for file in FILES:
            assert str(Path.home()) not in (FOLDER / name / file).read_text(encoding="utf-8")
