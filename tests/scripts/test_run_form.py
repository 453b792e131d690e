"""The form of a run, as KFP 2.17 would show it: what a person is asked, and what stands there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import CompiledPipeline, read
from nasoa.pipelines.options import CompileOptions
from scripts import run_form
from scripts.run_form import MISSING, Field, can_start, fields, page


def form(name: str, folder: Path, **options: Any) -> CompiledPipeline:
    return read(catalogue.compile_to(name, folder, CompileOptions(**options)))


def by_name(found: list[Field]) -> dict[str, Field]:
    return {field.label.split(" - ")[0]: field for field in found}


def test_a_person_with_images_is_asked_for_two_things(tmp_path: Path) -> None:
    found = fields(form("finetune_images", tmp_path, store="s3://nasoa"))
    assert [(f.label, f.value, f.complaint) for f in found] == [
        ("data - string", "", MISSING),
        ("time_limit - string", "60s", ""),
    ]
    assert not can_start(found)


def test_without_a_site_the_store_is_asked_for_too(tmp_path: Path) -> None:
    found = by_name(fields(form("finetune_images", tmp_path)))
    assert set(found) == {"data", "store", "time_limit"}
    assert found["store"].complaint == MISSING


@pytest.mark.slow
@pytest.mark.parametrize("name", list(catalogue.DEFINITIONS))
def test_only_data_and_store_are_missing_and_defaults_are_what_they_are(
    name: str, tmp_path: Path
) -> None:
    pipeline = form(name, tmp_path)
    found = fields(pipeline)
    missing = {field for field, shown in by_name(found).items() if shown.complaint}
    assert missing == {"data", "store"}
    defined = pipeline.spec["root"]["inputDefinitions"]["parameters"]
    assert [f.label.split(" - ")[0] for f in found] == sorted(defined)
    for key, shown in by_name(found).items():
        default = defined[key].get("defaultValue")
        if shown.is_json and default is not None:
            assert json.loads(shown.value) == default
        elif default is not None:
            assert type(default)(shown.value) == default


@pytest.mark.slow
def test_pools_stand_together_and_lists_have_an_editor(tmp_path: Path) -> None:
    found = by_name(fields(form("search_generation", tmp_path)))
    names = list(found)
    for prefix in ("gpu_", "light_"):
        places = [index for index, name in enumerate(names) if name.startswith(prefix)]
        assert places == list(range(places[0], places[0] + len(places)))
    assert found["gpu_tolerations"].is_json
    assert found["gpu_count"] == Field(
        label="gpu_count - string", value="1", complaint="", is_json=False
    )
    assert found["num_cells"].value == "10"


def test_the_page_tells_what_a_needed_parameter_is(tmp_path: Path) -> None:
    """The form does not; the description, which the pipeline's page shows, has to."""
    text = page(form("finetune_images", tmp_path))
    assert "data: Images: a folder of class folders" in text
    assert text.count(MISSING) == 2
    assert "class='start off'" in text


@pytest.mark.slow
def test_what_could_be_markup_is_text(tmp_path: Path) -> None:
    pipeline = form("finetune_images", tmp_path)
    spec: Any = json.loads(json.dumps(pipeline.spec))
    spec["root"]["inputDefinitions"]["parameters"]["time_limit"]["defaultValue"] = "<b>&"
    assert "&lt;b&gt;&amp;" in page(CompiledPipeline(spec, pipeline.platform))


def test_a_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path / "nowhere.yaml"), "-o", str(tmp_path / "form.html")]
    assert run_form.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_a_picture_of_it(tmp_path: Path) -> None:
    if run_form.browser() is None:
        pytest.skip(f"none of {', '.join(run_form.BROWSERS)} is installed")
    compiled = catalogue.compile_to("finetune_images", tmp_path, CompileOptions())
    picture, document = tmp_path / "form.png", tmp_path / "form.html"
    arguments = [str(compiled), "-o", str(document), "--screenshot", str(picture)]
    assert run_form.main(arguments) == 0
    with Image.open(picture) as image:
        assert image.width == run_form.WIDTH
        colours = image.convert("RGB").getcolors(maxcolors=1 << 20) or []
    # The two complaints, in red.
    assert any(r > 200 and g < 60 and b < 60 for _, (r, g, b) in colours)
