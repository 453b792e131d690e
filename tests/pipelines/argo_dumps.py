"""Workflows that Argo 4.0.5 leaves behind with KFP 2.17's defaults, and what KFP returns of them.

With KFP's `templateDefaults.retryStrategy`, each template is a node of type Retry around its
attempts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WORKFLOW = "finetune-task-x7kp2"
OOM = "main: OOMKilled (exit code 137)"
DEADLINE = "Pod was active on the node longer than the specified deadline"  # of the kubelet
STOPPED = "Step exceeded its deadline"  # of Argo


@dataclass
class Dump:
    """The nodes of one workflow; each starts a second after the one before."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, kind: str, phase: str, message: str = "") -> None:
        second = len(self.nodes)
        # A node that contains others ends after them, the outermost last.
        end = f"10:05:{second:02d}" if kind == "Pod" else f"10:10:{59 - second:02d}"
        node_id = WORKFLOW if name == WORKFLOW else f"{WORKFLOW}-{1000 + second}"
        self.nodes[node_id] = {
            "id": node_id,
            "name": name,
            "displayName": name.rsplit(".", 1)[-1],
            "type": kind,
            "templateName": "entrypoint",
            "phase": phase,
            "message": message,
            "startedAt": f"2026-11-01T10:00:{second:02d}Z",
            "finishedAt": f"2026-11-01T{end}Z",
            "children": [],
        }

    def retried(self, name: str, kind: str, *ends: tuple[str, str]) -> str:
        """Add a node around its attempts, and return the path of the last one."""
        phase, message = ends[-1]
        self.add(name, "Retry", phase, message)
        for number, (phase, message) in enumerate(ends):
            self.add(f"{name}({number})", kind, phase, message)
        return f"{name}({len(ends) - 1})"

    @property
    def manifest(self) -> str:
        """The workflow as K apiserver/server/api_converter.go, toApiRunDetailV1, returns it."""
        document = {
            "metadata": {"name": WORKFLOW},
            "spec": {"entrypoint": "entrypoint", **self.spec},
            "status": {"startedAt": "2026-11-01T10:00:00Z", "nodes": self.nodes},
        }
        return json.dumps(document)

    def task_details(self, run_id: str) -> list[dict[str, Any]]:
        """Return the tasks that KFP's API gives.

        They are those of K common/util/workflow.go, NodeStatuses, and api_converter.go,
        toModelTask: display name, state, times and ids of children, but no messages.
        """
        states = {"Error": "FAILED", "Omitted": "SKIPPED"}
        return [
            {
                "run_id": run_id,
                "task_id": f"task-{node['id']}",
                "display_name": node["displayName"],
                "create_time": "2026-11-01T10:00:00Z",
                "start_time": node["startedAt"],
                "end_time": node["finishedAt"],
                "state": states.get(node["phase"], node["phase"].upper()),
                "child_tasks": [{"pod_name": child} for child in node["children"]],
            }
            for node in sorted(self.nodes.values(), key=lambda node: str(node["id"]))
        ]


def dump(*ends: tuple[str, str], driver: tuple[str, str] = ("Succeeded", ""), **spec: Any) -> Dump:
    """Return a run of finetune_task with the given attempts of its step `finetune`.

    Args:
        ends: phase and message of each attempt of the executor; none if its driver failed.
        driver: phase and message of the step's driver.
        spec: of the workflow.
    """
    made = Dump(spec=spec)
    last = ends[-1] if ends else driver
    # A DAG gets the phase of its step, but no message (A workflow/controller/dag.go, line 334).
    outer = (last[0], "")
    inside = made.retried(WORKFLOW, "DAG", outer)
    made.retried(f"{inside}.root-driver", "Pod", ("Succeeded", ""))
    root = made.retried(f"{inside}.root", "DAG", outer)
    made.retried(f"{root}.finetune-task-steps-driver", "Pod", ("Succeeded", ""))
    steps = made.retried(f"{root}.finetune-task-steps", "DAG", outer)
    made.retried(f"{steps}.compute-meta-features-driver", "Pod", ("Succeeded", ""))
    first = made.retried(f"{steps}.compute-meta-features", "DAG", ("Succeeded", ""))
    made.retried(f"{first}.executor", "Pod", ("Succeeded", ""))
    made.retried(f"{steps}.finetune-driver", "Pod", driver)
    if ends:
        tuned = made.retried(f"{steps}.finetune", "DAG", outer)
        made.retried(f"{tuned}.executor", "Pod", *ends)
    else:
        made.add(f"{steps}.finetune", "Skipped", "Omitted", "omitted: depends condition not met")
    return made


def first_driver(message: str) -> Dump:
    """A run whose first driver was refused: it has no step, and KFP's defaults retry everything.

    Args:
        message: of Argo, for each attempt to make the pod.
    """
    made = Dump()
    made.add(WORKFLOW, "Retry", "Error", "No more retries left")
    for attempt in range(3):
        path = f"{WORKFLOW}({attempt})"
        made.add(path, "DAG", "Error")
        made.add(f"{path}.root-driver", "Retry", "Error", "No more retries left")
        for number in range(3):
            made.add(f"{path}.root-driver({number})", "Pod", "Error", message)
        made.add(f"{path}.root", "Skipped", "Omitted", "omitted: depends condition not met")
    return made


def not_retried() -> Dump:
    """A run whose deadline passed before a lost pod could be tried again."""
    made = dump(("Error", "pod deleted"), activeDeadlineSeconds=300)
    for node in made.nodes.values():
        if node["type"] == "Retry" and node["message"] == "pod deleted":
            node["message"] = "retry exceeded workflow deadline 2026-11-01 10:05:00 +0000 UTC"
    return made


DUMPS: dict[str, Callable[[], Dump]] = {
    "succeeded": lambda: dump(("Succeeded", "")),
    "failed": lambda: dump(("Failed", "main: Error (exit code 1)")),
    "out of memory": lambda: dump(("Failed", OOM)),
    "deadline": lambda: dump(("Failed", DEADLINE)),
    "retried": lambda: dump(("Error", "pod deleted"), ("Succeeded", "")),
    "retried in vain": lambda: dump(("Error", "pod deleted"), ("Failed", OOM)),
    # KFP cancels by a deadline of 0 s: K apiserver/resource/resource_manager.go, TerminateWorkflow.
    "cancelled": lambda: dump(("Failed", STOPPED), activeDeadlineSeconds=0),
    "cancelled at Argo": lambda: dump(
        ("Failed", "workflow shutdown with strategy:  Terminate"), shutdown="Terminate"
    ),
    "cancelled after a failure": lambda: dump(("Failed", OOM), activeDeadlineSeconds=0),
    "run's deadline": lambda: dump(("Failed", STOPPED), activeDeadlineSeconds=300),
    "run's deadline, by the kubelet": lambda: dump(("Failed", DEADLINE), activeDeadlineSeconds=300),
    "step's deadline": lambda: dump(("Failed", DEADLINE), activeDeadlineSeconds=7200),
    "failed before the deadline": lambda: dump(("Failed", OOM), activeDeadlineSeconds=300),
    "no retry at the deadline": not_retried,
    "driver": lambda: dump(driver=("Failed", "main: Error (exit code 1): no such parameter")),
    "refused": lambda: dump(
        ("Error", 'pods "x" is forbidden: violates PodSecurity "restricted:latest"')
    ),
}
NO_ACCOUNT = (
    'pods "x" is forbidden: error looking up service account kubeflow/pipeline-runner: '
    'serviceaccount "pipeline-runner" not found'
)
DUMPS["first driver"] = lambda: first_driver(NO_ACCOUNT)
OF_STATE = {"SUCCEEDED": "succeeded", "FAILED": "out of memory", "CANCELED": "cancelled"}
