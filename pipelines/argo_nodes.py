"""Find the failed step of a run, and Argo's message, in the nodes of its workflow.

KFP 2.17 reports the nodes that Argo runs: the workflow itself, a node for each pipeline, loop,
driver and executor, and one more for each attempt. Version 2 of its API returns only names and
states; the messages are in the workflow, which version 1 of the API still returns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FAILED_PHASES = ("Failed", "Error")
# Suffix with the number of an attempt, or with the index and value of a loop iteration:
# `finetune(1)`, `x(0:0)`.
_COUNT = re.compile(r"\(\d+(?::.*)?\)$")
_DRIVER = "-driver"
_WRAPPERS = frozenset({"root", "executor", "iteration", "iteration-item", "iteration-iterations"})
# Names of workflows end in five characters of Kubernetes' alphabet for generated names.
_WORKFLOW = re.compile(r".+-[bcdfghjklmnpqrstvwxz2456789]{5}")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of a workflow.

    Args:
        name: dotted path that starts with the workflow.
        kind: Argo's node type: Pod, DAG, Retry, TaskGroup, Skipped...
        phase: Succeeded, Failed, Error, Running, Skipped, Omitted...
        message: Argo's message; empty if there is none.
        started_at, finished_at: ISO 8601; empty if the node has not started or finished.
    """

    name: str
    kind: str
    phase: str
    message: str
    started_at: str
    finished_at: str


def read_nodes(manifest: str) -> list[Node]:
    """Return the nodes of a workflow in JSON; none if the text is not a workflow."""
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


def first_failed(nodes: Iterable[Node]) -> Node | None:
    """Return the node whose failure caused the others: a pod, else the deepest node.

    A retried step fails with its last attempt, and only if none of its attempts succeeds. The
    result is None if nothing failed.
    """
    failed = [node for node in nodes if node.phase in FAILED_PHASES]
    outer = {node.name for node in failed}
    lasting = [node for node in failed if _above(node.name) <= outer]
    if not lasting:
        return None
    pods = [node for node in lasting if node.kind == "Pod"]
    deepest = max(node.name.count(".") for node in lasting)
    candidates = pods or [node for node in lasting if node.name.count(".") == deepest]
    return _last_attempt(min(candidates, key=lambda n: n.finished_at or "9"), candidates)


def _above(name: str) -> set[str]:
    """Return the node that an attempt belongs to; it fails only if no attempt succeeds."""
    plain = without_attempt(name)
    return {plain} if plain != name else set()


def without_attempt(name: str) -> str:
    """Return the name of the node around an attempt; a name without an attempt as it is."""
    return _COUNT.sub("", name)


def _last_attempt(node: Node, among: Sequence[Node]) -> Node:
    plain = without_attempt(node.name)
    attempts = [other for other in among if without_attempt(other.name) == plain]
    return max(attempts, key=lambda other: other.finished_at)


def step_of(name: str) -> str:
    """Return the step that a node belongs to, by its name in the pipeline.

    Args:
        name: name of the node, with or without its path.
    """
    parts = [_COUNT.sub("", part) for part in name.split(".")]
    steps = [part for part in parts if part not in _WRAPPERS]
    last = steps[-1] if steps else parts[-1]
    if last.endswith(_DRIVER):
        return f"{last.removesuffix(_DRIVER)} (its driver)"
    return last


def holds_no_step(display_name: str) -> bool:
    """Return whether a node is the workflow or a wrapper, not a step or a driver."""
    plain = _COUNT.sub("", display_name)
    return plain in _WRAPPERS or _WORKFLOW.fullmatch(plain) is not None


def is_machinery(display_name: str) -> bool:
    """Return whether a node is the workflow, a wrapper, a driver or an attempt, not a step."""
    plain = _COUNT.sub("", display_name)
    return plain != display_name or plain.endswith(_DRIVER) or holds_no_step(display_name)
