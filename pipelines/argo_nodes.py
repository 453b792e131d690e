"""The nodes of a run's Argo workflow: which step failed, and what Argo says of it.

KFP 2.17 tells of a run what Argo runs: the workflow itself, a node for each pipeline, loop, driver
and executor, and one more for each attempt. Its API of version 2 gives names and states alone; the
messages stand in the workflow, which the API of version 1 still gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FAILED_PHASES = ("Failed", "Error")
# The number of an attempt, or of a turn of a loop with its value: `finetune(1)`, `x(0:0)`.
_COUNT = re.compile(r"\(\d+(?::.*)?\)$")
_DRIVER = "-driver"
_WRAPPERS = frozenset({"root", "executor", "iteration", "iteration-item", "iteration-iterations"})
# Argo's names of workflows end in five letters of Kubernetes' alphabet for random names.
_WORKFLOW = re.compile(r".+-[bcdfghjklmnpqrstvwxz2456789]{5}")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of a workflow.

    Args:
        name: the path from the workflow on, with dots.
        kind: Argo's type: Pod, DAG, Retry, TaskGroup, Skipped...
        phase: Succeeded, Failed, Error, Running, Skipped, Omitted...
        message: Argo's; empty where all is well.
        started_at, finished_at: ISO 8601, empty where it did not.
    """

    name: str
    kind: str
    phase: str
    message: str
    started_at: str
    finished_at: str


@dataclass(frozen=True)
class Failure:
    """What failed first: the step, as the pipeline calls it, and Argo's words."""

    step: str
    message: str


def read_nodes(manifest: str) -> list[Node]:
    """The nodes of a workflow, given as JSON; none where it is no workflow."""
    try:
        nodes = json.loads(manifest)["status"]["nodes"].values()
        return [_node(node) for node in nodes]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _node(given: Any) -> Node:
    def text(key: str) -> str:
        return str(given.get(key) or "")

    return Node(
        name=text("name"),
        kind=text("type"),
        phase=text("phase"),
        message=" ".join(text("message").split()),
        started_at=text("startedAt"),
        finished_at=text("finishedAt"),
    )


def failure(nodes: Iterable[Node]) -> Failure | None:
    """The failure that the others follow from: of a pod, else of the deepest node.

    A step that is tried again fails with its last attempt, and does not where a later one succeeds.
    """
    failed = [node for node in nodes if node.phase in FAILED_PHASES]
    outer = {node.name for node in failed}
    lasting = [node for node in failed if _above(node.name) <= outer]
    if not lasting:
        return None
    pods = [node for node in lasting if node.kind == "Pod"]
    deepest = max(node.name.count(".") for node in lasting)
    candidates = pods or [node for node in lasting if node.name.count(".") == deepest]
    first = _last_attempt(min(candidates, key=lambda n: n.finished_at or "9"), candidates)
    return Failure(step_of(first.name), first.message or f"Argo says {first.phase} and no more")


def _above(name: str) -> set[str]:
    """The node that an attempt belongs to: it has failed too, unless another attempt succeeded."""
    plain = _COUNT.sub("", name)
    return {plain} if plain != name else set()


def _last_attempt(node: Node, among: Sequence[Node]) -> Node:
    plain = _COUNT.sub("", node.name)
    attempts = [other for other in among if _COUNT.sub("", other.name) == plain]
    return max(attempts, key=lambda other: other.finished_at)


def step_of(name: str) -> str:
    """The step that a node works for, as the pipeline calls it.

    Args:
        name: of a node, with its path or without.
    """
    parts = [_COUNT.sub("", part) for part in name.split(".")]
    steps = [part for part in parts if part not in _WRAPPERS]
    last = steps[-1] if steps else parts[-1]
    if last.endswith(_DRIVER):
        return f"{last.removesuffix(_DRIVER)} (its driver)"
    return last


def holds_no_step(display_name: str) -> bool:
    """Whether a node stands for no step and no driver of one: the workflow, or a wrapper."""
    plain = _COUNT.sub("", display_name)
    return plain in _WRAPPERS or _WORKFLOW.fullmatch(plain) is not None


def is_machinery(display_name: str) -> bool:
    """Whether a node is not a step: the workflow, a wrapper, a driver, or one of many attempts."""
    plain = _COUNT.sub("", display_name)
    return plain != display_name or plain.endswith(_DRIVER) or holds_no_step(display_name)
