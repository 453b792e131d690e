"""Why a run did not succeed: a step failed, its deadline passed, or somebody cancelled it.

KFP 2.17 reports FAILED for all three; the run's Argo workflow tells them apart
(docs/decisions/0027-*.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nasoa.pipelines.argo_nodes import Node, first_failed, read_nodes, step_of, without_attempt

# Argo stops a step at the deadline of its workflow, and KFP cancels by a deadline of 0 s.
_STOPPED = "Step exceeded its deadline"
_RETRY_STOPPED = "retry exceeded workflow deadline"
_SHUT_DOWN = ("workflow shutdown with strategy", "Stopped with strategy")
# The kubelet's message at the deadline of a pod: the timeout of its step, or what was left of the
# workflow's deadline when the pod was made, whichever is shorter.
_POD_STOPPED = "Pod was active on the node longer than the specified deadline"
# Argo rounds what was left, and the times of nodes, down to a second.
_ROUNDED = timedelta(seconds=2)


@dataclass(frozen=True)
class Ending:
    """How a run ended that did not succeed.

    Args:
        state: FAILED or CANCELED.
        step: name of the step in which the run ended, in the pipeline; None if there was none.
        message: why.
    """

    state: str
    step: str | None
    message: str


def ending(manifest: str) -> Ending | None:
    """Return how a run ended; None if nothing failed, or if the text is not a workflow.

    Args:
        manifest: the run's workflow as JSON.
    """
    nodes = read_nodes(manifest)
    first = first_failed(nodes)
    spec, status = _parts(manifest)
    step = None if first is None else step_of(first.name)
    if spec.get("activeDeadlineSeconds") == 0 or spec.get("shutdown"):
        own = first is not None and first.message and not _is_stop(first.message)
        return Ending("CANCELED", step, first.message if first and own else "the run was cancelled")
    if first is None:
        return None
    return Ending("FAILED", step, _message(first, nodes, spec, status))


def _parts(manifest: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the specification and the status of a workflow; empty if the text is not one."""
    try:
        document = json.loads(manifest)
    except ValueError:
        return {}, {}
    document = document if isinstance(document, dict) else {}
    spec, status = document.get("spec"), document.get("status")
    return (
        spec if isinstance(spec, dict) else {},
        status if isinstance(status, dict) else {},
    )


def _is_stop(message: str) -> bool:
    return message.startswith((_STOPPED, _RETRY_STOPPED, *_SHUT_DOWN))


def _message(
    first: Node, nodes: Sequence[Node], spec: Mapping[str, Any], status: Mapping[str, Any]
) -> str:
    """Return why the first failed node failed."""
    message = first.message or f"Argo reports {first.phase} without a message"
    deadline_s = spec.get("activeDeadlineSeconds")
    if not isinstance(deadline_s, int):
        return message
    after = f"{deadline_s} s after its start"
    of_pod = message.startswith(_POD_STOPPED) and _at_deadline(first, status, deadline_s)
    if of_pod or message.startswith((_STOPPED, _RETRY_STOPPED)):
        return f"stopped at the deadline of the run, {after}"
    outer = without_attempt(first.name)
    if any(n.name == outer and n.message.startswith(_RETRY_STOPPED) for n in nodes):
        return f"{message}; not retried, because the deadline of the run had passed, {after}"
    return message


def _at_deadline(node: Node, status: Mapping[str, Any], deadline_s: int) -> bool:
    """Return whether a node ended at the deadline of its workflow or later."""
    try:
        started = datetime.fromisoformat(str(status.get("startedAt")))
        finished = datetime.fromisoformat(node.finished_at)
        return finished >= started + timedelta(seconds=deadline_s) - _ROUNDED
    except (ValueError, TypeError):
        return False
