"""Steps are told from the other nodes that Argo runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.pipelines.argo_nodes import is_machinery, read_nodes, step_of
from tests.pipelines.argo_dumps import DUMPS, WORKFLOW


@pytest.mark.parametrize("name", DUMPS)
def test_steps_are_told_from_machinery(name: str) -> None:
    shown = [
        task["display_name"]
        for task in DUMPS[name]().task_details("run")
        if not is_machinery(task["display_name"])
    ]
    steps = ["compute-meta-features", "finetune", "finetune-task-steps"]
    assert sorted(shown) == ([] if name == "first driver" else steps)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        (f"{WORKFLOW}(0).root(0).search(0).for-loop-1.iteration-iterations(3:3).iteration-item"
         ".evaluate-arch(0).executor(1)", "evaluate-arch"),
        (f"{WORKFLOW}.root-driver", "root (its driver)"),
        (WORKFLOW, WORKFLOW),
    ],
)  # fmt: skip
def test_names(name: str, step: str) -> None:
    assert step_of(name) == step


@given(text=st.text(max_size=50))
def test_what_is_no_workflow_has_no_nodes(text: str) -> None:
    assert read_nodes(text) == []
    assert read_nodes(json.dumps({"status": {"nodes": text}})) == []
