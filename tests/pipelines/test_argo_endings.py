"""Why a run ended is found in its workflow, whatever ended it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.pipelines.argo_endings import Ending, ending
from tests.pipelines.argo_dumps import DEADLINE, DUMPS, NO_ACCOUNT, OOM, dump

REFUSED = 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'
AT_DEADLINE = "stopped at the deadline of the run, 300 s after its start"
ENDINGS = {
    "succeeded": None,
    "retried": None,
    "failed": Ending("FAILED", "finetune", "main: Error (exit code 1)"),
    "out of memory": Ending("FAILED", "finetune", OOM),
    "deadline": Ending("FAILED", "finetune", DEADLINE),
    "retried in vain": Ending("FAILED", "finetune", OOM),
    "driver": Ending(
        "FAILED", "finetune (its driver)", "main: Error (exit code 1): no such parameter"
    ),
    "refused": Ending("FAILED", "finetune", REFUSED),
    "first driver": Ending("FAILED", "root (its driver)", NO_ACCOUNT),
    "cancelled": Ending("CANCELED", "finetune", "the run was cancelled"),
    "cancelled at Argo": Ending("CANCELED", "finetune", "the run was cancelled"),
    "cancelled after a failure": Ending("CANCELED", "finetune", OOM),
    "run's deadline": Ending("FAILED", "finetune", AT_DEADLINE),
    "run's deadline, by the kubelet": Ending("FAILED", "finetune", AT_DEADLINE),
    "step's deadline": Ending("FAILED", "finetune", DEADLINE),
    "failed before the deadline": Ending("FAILED", "finetune", OOM),
    "no retry at the deadline": Ending(
        "FAILED", "finetune",
        "pod deleted; not retried, because the deadline of the run had passed, 300 s after its "
        "start",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DUMPS)
def test_why_a_run_ended_is_found(name: str) -> None:
    assert ending(DUMPS[name]().manifest) == ENDINGS[name]


def test_a_run_cancelled_before_its_first_pod_has_no_step() -> None:
    document = json.dumps({"spec": {"activeDeadlineSeconds": 0}, "status": {"nodes": {}}})
    assert ending(document) == Ending("CANCELED", None, "the run was cancelled")


@pytest.mark.parametrize("started_at", [None, "yesterday", "2026-11-01T10:00:00"])
def test_without_the_start_of_a_run_the_kubelets_message_is_kept(started_at: str | None) -> None:
    document = json.loads(dump(("Failed", DEADLINE), activeDeadlineSeconds=300).manifest)
    document["status"]["startedAt"] = started_at
    found = ending(json.dumps(document))
    assert found is not None
    assert found.message == DEADLINE


@given(text=st.text(max_size=50))
def test_what_is_no_workflow_has_no_end(text: str) -> None:
    assert ending(text) is None
    for document in ({"status": {"nodes": text}}, {"spec": text, "status": text}, text, [text]):
        assert ending(json.dumps(document)) is None
