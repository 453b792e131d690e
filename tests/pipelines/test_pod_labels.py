"""Labels of the pods of steps, and the Kueue queue that they wait in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nasoa.errors import InvalidInput
from nasoa.pipelines import catalogue
from nasoa.pipelines.compiled_spec import read
from nasoa.pipelines.options import CompileOptions, compile_options
from nasoa.pipelines.pod_labels import QUEUE_LABEL, check_labels

SITE = {
    "queue": "searches",
    "labels": {"team": "vision", "cost.example.com/center": "42"},
    "pipelines": {
        "finetune-images": {"queue": "tasks", "labels": {"team": "users"}, "time_limit": "10m"}
    },
}


def labels(name: str, options: CompileOptions, folder: Path) -> list[dict[str, str]]:
    steps = read(catalogue.compile_to(name, folder, options)).steps()
    return [step.platform["podMetadata"].get("labels", {}) for step in steps]


@pytest.fixture
def site(tmp_path: Path) -> CompileOptions:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE))
    return compile_options({"site": str(path)}, {})


@pytest.mark.slow
def test_a_site_labels_all_pods_and_a_pipeline_has_its_own(
    site: CompileOptions, tmp_path: Path
) -> None:
    common = {"cost.example.com/center": "42"}
    for found in labels("search_generation", site, tmp_path):
        assert found == {**common, "team": "vision", QUEUE_LABEL: "searches"}
    for found in labels("finetune_images", site, tmp_path):
        assert found == {**common, "team": "users", QUEUE_LABEL: "tasks"}


def test_the_queue_may_come_from_a_flag_or_variable(tmp_path: Path) -> None:
    options = compile_options({}, {"NASOA_QUEUE": "mine"})
    assert set(map(str, labels("build_zoo", options, tmp_path))) == {str({QUEUE_LABEL: "mine"})}
    assert labels("build_zoo", CompileOptions(), tmp_path)[0] == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"labels": {"a b": "c"}}, "a Kubernetes label in labels"),
        ({"labels": {"team": "-x"}}, "a Kubernetes label"),
        ({"labels": {"team": "x" * 64}}, "a Kubernetes label"),
        ({"labels": {"team": 7}}, "expected text for the label team"),
        ({"labels": ["team"]}, "a mapping of names"),
        ({"labels": {"pipeline/runid": "x"}}, "not reserved"),
        ({"queue": "a b"}, "in the queue"),
        ({"pipelines": {"build_zoo": {"queue": "a b"}}}, "pipelines.build_zoo.queue"),
        ({"pipelines": {"build_zoo": {"queue": []}}}, "expected text for pipelines.build_zoo"),
        ({"pipelines": {"build_zoo": {"labels": {"A/B/C": "x"}}}}, "a Kubernetes label"),
    ],
)
def test_what_cannot_be_a_label_is_one_line(
    content: dict[str, object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InvalidInput) as caught:
        compile_options({"site": str(path)}, {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_that_kubernetes_takes() -> None:
    check_labels({"a": "", "a.b-c/D_e.f": "X", "x" * 63: "y" * 63}, "here")
