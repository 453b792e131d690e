"""Workflows as Argo 4.0.5 leaves them behind under KFP 2.17's defaults, and what KFP tells of them.

KFP's `templateDefaults.retryStrategy` makes each template a node of type Retry around its attempts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WORKFLOW = "finetune-task-x7kp2"
OOM = "main: OOMKilled (exit code 137)"
DEADLINE = "Pod was active on the node longer than the specified deadline"


@dataclass
class Dump:
    """The nodes of one workflow; each comes a second after the one before."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, kind: str, phase: str, message: str = "") -> None:
        second = len(self.nodes)
        # What holds others ends after them, the outermost last.
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
        """A node around its attempts; returns the path of the last one."""
        phase, message = ends[-1]
        self.add(name, "Retry", phase, message)
        for number, (phase, message) in enumerate(ends):
            self.add(f"{name}({number})", kind, phase, message)
        return f"{name}({len(ends) - 1})"

    @property
    def manifest(self) -> str:
        """As K apiserver/server/api_converter.go, toApiRunDetailV1, gives it."""
        document = {"metadata": {"name": WORKFLOW}, "status": {"nodes": self.nodes}}
        return json.dumps(document)

    def task_details(self, run_id: str) -> list[dict[str, Any]]:
        """As K common/util/workflow.go, NodeStatuses, and api_converter.go, toModelTask, give them.

        Only the display name, state, times and ids of children are kept: no message.
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


def dump(*ends: tuple[str, str], driver: tuple[str, str] = ("Succeeded", "")) -> Dump:
    """A run of finetune_task whose step `finetune` ended so, attempt by attempt.

    Args:
        ends: phase and message of each attempt of the executor; none if its driver failed.
        driver: phase and message of the step's driver.
    """
    made = Dump()
    last = ends[-1] if ends else driver
    # A DAG takes over its step's phase without a message (A workflow/controller/dag.go, line 334).
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
    """A run whose first driver was refused: there is no step, and KFP's defaults try all again.

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


DUMPS: dict[str, Callable[[], Dump]] = {
    "succeeded": lambda: dump(("Succeeded", "")),
    "failed": lambda: dump(("Failed", "main: Error (exit code 1)")),
    "out of memory": lambda: dump(("Failed", OOM)),
    "deadline": lambda: dump(("Failed", DEADLINE)),
    "retried": lambda: dump(("Error", "pod deleted"), ("Succeeded", "")),
    "retried in vain": lambda: dump(("Error", "pod deleted"), ("Failed", OOM)),
    "cancelled": lambda: dump(("Failed", "workflow shutdown with strategy:  Terminate")),
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
