"""The paper's method, selected by a flag."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nasoa.cli.main import main
from nasoa.errors import InvalidInput, UnknownName
from nasoa.online.collecting.starter import collected_runs
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.online.predictor.paper_predictor import PAPER_PREDICTOR_NAME
from nasoa.records import Task, from_json
from nasoa.steps import predictor_history
from nasoa.steps.kfp_steps import TaskForm
from nasoa.steps.kfp_steps import compute_meta_features as kfp_compute_meta_features
from nasoa.steps.methods import METHODS, PAPER, method_named
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store, snapshots
from tests import steps_alone


@dataclass
class Decoded:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


DIGITS = "sklearn:digits:classes=0,1,2,3:per_class=60"


def test_it_chooses_by_its_own_predictor_and_probes_nothing(tmp_path: Path) -> None:
    task = steps_alone.compute_meta_features(
        DIGITS, "30s", str(tmp_path), clock="steps", method=PAPER
    )
    assert (task.method, task.probes) == ("paper", ())
    found = steps_alone.predict_regime(task, str(tmp_path), top=3)
    assert found.num_experiences == len(collected_runs())
    assert found.note.startswith("among random configurations by the adaptive MLP, from ")
    accuracies = [candidate.predicted_accuracy for candidate in found.candidates]
    assert accuracies == sorted(accuracies, reverse=True)
    # The random configurations depend on the task's seed.
    assert steps_alone.predict_regime(task, str(tmp_path), top=3) == found
    with pytest.raises(InvalidInput, match="does not explore; leave it out"):
        steps_alone.predict_regime(task, str(tmp_path), explore=0.05)


def test_a_component_takes_a_method_that_exists(tmp_path: Path) -> None:
    form = TaskForm(DIGITS, "30s", 0, "steps", "papers")
    decoded = Decoded(str(tmp_path / "decoded"))
    with pytest.raises(UnknownName, match="did you mean paper"):
        kfp_compute_meta_features(str(tmp_path / "store"), form, str(tmp_path / "page"), decoded)
    form = TaskForm(DIGITS, "30s", 0, "steps", "paper")
    described = kfp_compute_meta_features(
        str(tmp_path / "store"), form, str(tmp_path / "page"), decoded
    )
    task = from_json(described, Task)
    assert (task.method, task.probes) == ("paper", ())


@pytest.mark.slow
def test_each_method_has_versions_of_its_own(tmp_path: Path) -> None:
    """Both methods learn each task, each at its next update."""
    uri = str(tmp_path)
    first = steps_alone.run_task(DIGITS, "1s", uri, clock="steps", method=PAPER)
    assert (first.predictor_version_before, first.predictor_version_after) == (1, 2)
    store = open_store(uri)
    assert snapshots.versions(store, PAPER_PREDICTOR_NAME) == [1, 2]
    assert snapshots.versions(store, PREDICTOR_NAME) == []
    assert predictor_history.other_predictors(open_store(uri)) == []
    second = steps_alone.run_task(DIGITS, "1s", uri, clock="steps", seed=1)
    assert (second.predictor_version_before, second.predictor_version_after) == (1, 2)
    assert snapshots.versions(store, PREDICTOR_NAME) == [1, 2]
    (_, newest) = predictor_history.predictor_versions(open_store(uri))
    assert newest.num_learned == 2
    session = TaskSession(store, method=PAPER)
    assert (session.version, session.predictor.num_experiences) == (2, 1)


@pytest.mark.slow
def test_the_command_line_takes_a_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["recommend", DIGITS, "--time-limit", "30s", "--clock", "steps", "--top", "1"]
    choices = {}
    for method in METHODS:
        store = str(tmp_path / method)
        assert main([*arguments, "--store", store, "--method", method, "--json"]) == 0
        choices[method] = json.loads(capsys.readouterr().out)
    assert choices["paper"]["note"].startswith("among random configurations")
    assert choices["default"]["candidates"] != choices["paper"]["candidates"]
    assert main([*arguments, "--method", "papers"]) == 2
    assert "unknown --method 'papers': did you mean paper?" in capsys.readouterr().err
    with pytest.raises(UnknownName, match="did you mean paper"):
        method_named("papers")
