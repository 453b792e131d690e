"""Which failures of a step the cluster's Argo tries again, read from its controller's ConfigMap.

KFP 2.17 gives a step's template a limit and waits, but no retry policy, and Argo merges the
controller's `templateDefaults` into every template (docs/decisions/0023-*.md). So whether a step is
tried again is decided there, for all pipelines of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from nasoa.errors import ClusterRefused
from nasoa.pipelines.kubernetes_reading import Kubernetes
from nasoa.steps.health import Finding

CONFIG_MAP = "workflow-controller-configmap"
# True of a step whose container ended with an error, and of one whose pod was lost or refused;
# false of the pipelines around it, which have no exit code, and no message where a step in them
# failed.
STEPS_ONLY = (
    'asInt(lastRetry.exitCode) > 0 || (lastRetry.status == "Error" && lastRetry.message != "")'
)
_KINDS = {
    "OnError": (False, True),
    "OnFailure": (True, False),
    "Always": (True, True),
    "OnTransientError": (False, False),
}


@dataclass(frozen=True, kw_only=True)
class Retries:
    """What happens to a step that failed.

    Args:
        failed: whether a step is tried again whose container ended with an error.
        vanished: whether one is whose pod was refused, deleted, or lost with its node.
        transient: whether Argo's pattern of transient errors decides instead.
        nested: whether the pipelines and loops around such a step are tried again as a whole too.
    """

    failed: bool
    vanished: bool
    transient: bool
    nested: bool

    @property
    def detail(self) -> str:
        """In one line, with what an administrator may change."""
        if self.transient:
            return "a step is tried again where Argo takes its message for a passing error"
        again = [
            words
            for is_so, words in (
                (self.failed, "one that ends with an error"),
                (self.vanished, "one whose pod is refused, deleted or lost"),
            )
            if is_so
        ]
        if self.failed:
            steps = f"of steps, Argo tries again {' and '.join(again)}"
        else:
            steps = (
                f"of steps, Argo tries again only {' and '.join(again) or 'none'}, not one that "
                "ends with an error (docs/pipelines.md says what an administrator may change)"
            )
        if not self.nested:
            return steps
        return (
            f"{steps}; every pipeline and loop around such a step is tried again too, so attempts "
            f"multiply; add expression: '{STEPS_ONLY}' to templateDefaults.retryStrategy of the "
            f"ConfigMap {CONFIG_MAP}"
        )


def check(kubernetes: Kubernetes, namespace: str) -> Finding:
    """What will be tried again, as a finding; that the ConfigMap may not be read is none.

    Args:
        kubernetes: the cluster.
        namespace: of Argo's controller, which is KFP's own.
    """
    try:
        data = kubernetes.config_map(namespace, CONFIG_MAP)
    except ClusterRefused as error:
        detail = f"not known: {error} ({CONFIG_MAP} in {namespace})"
        return Finding(subject="retries", ok=True, detail=detail)
    if data is None:
        detail = f"not known: there is no ConfigMap {CONFIG_MAP} in {namespace}"
        return Finding(subject="retries", ok=True, detail=detail)
    found = retries(data)
    # A default installation multiplies the attempts of pods alone that are refused each time.
    wrong = found.nested and found.failed
    return Finding(subject="retries", ok=not wrong, detail=found.detail)


def retries(config_map: Mapping[str, str]) -> Retries:
    """What a controller with this ConfigMap does; unreadable YAML counts as nothing said."""
    strategy = _strategy(config_map)
    expression = bool(strategy.get("expression"))
    policy = strategy.get("retryPolicy") or ("Always" if expression else "OnFailure")
    failed, vanished = _KINDS.get(policy, (False, False))
    # A limit among the defaults makes every template one that is tried again, not only steps, and a
    # pipeline ends as its step does: in Failed or in Error.
    nested = bool(strategy) and (failed or vanished) and not expression
    return Retries(
        failed=failed, vanished=vanished, transient=policy == "OnTransientError", nested=nested
    )


def _strategy(config_map: Mapping[str, str]) -> Mapping[str, Any]:
    """`templateDefaults.retryStrategy` of the defaults of all workflows."""
    whole = _mapping(config_map.get("config"))
    found: Any = _mapping(config_map.get("workflowDefaults")) or whole.get("workflowDefaults")
    for key in ("spec", "templateDefaults", "retryStrategy"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _mapping(text: str | None) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text or "")
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
