"""Determine which step failures Argo retries, from the ConfigMap of its workflow controller.

KFP 2.17 gives a step's template a limit and waits, but no retry policy, and Argo merges the
controller's `templateDefaults` into every template (docs/decisions/0023-*.md). So the ConfigMap
decides whether a step is retried, for all pipelines of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasoa.errors import ClusterRefused
from nasoa.pipelines.kubernetes_reading import Kubernetes
from nasoa.pipelines.yaml_files import NotYaml, documents
from nasoa.steps.health import Finding

CONFIG_MAP = "workflow-controller-configmap"
# True for a step whose container ended with an error or whose pod was lost or refused; false for
# the pipelines around it, which have no exit code, and no message if a step in them failed.
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
    """What Argo does with a failed step.

    Args:
        failed: whether a step whose container ended with an error is retried.
        vanished: whether a step whose pod was refused, deleted, or lost with its node is retried.
        transient: whether Argo's pattern of transient errors decides instead.
        nested: whether the pipelines and loops around such a step are retried as a whole, too.
    """

    failed: bool
    vanished: bool
    transient: bool
    nested: bool

    @property
    def detail(self) -> str:
        """One line, with what an administrator can change."""
        if self.transient:
            return "Argo retries a step whose message matches its pattern of transient errors"
        again = [
            words
            for is_so, words in (
                (self.failed, "a step that ends with an error"),
                (self.vanished, "a step whose pod is refused, deleted or lost"),
            )
            if is_so
        ]
        if self.failed:
            steps = f"Argo retries {' and '.join(again)}"
        else:
            steps = (
                f"Argo retries only {' and '.join(again) or 'nothing'}, not a step that ends "
                "with an error (docs/pipelines.md describes what an administrator can change)"
            )
        if not self.nested:
            return steps
        return (
            f"{steps}; every pipeline and loop around such a step is retried too, so attempts "
            f"multiply; add expression: '{STEPS_ONLY}' to templateDefaults.retryStrategy of the "
            f"ConfigMap {CONFIG_MAP}"
        )


def check(kubernetes: Kubernetes, namespace: str) -> Finding:
    """Return a finding on what Argo retries; a ConfigMap that cannot be read is not a failure.

    Args:
        kubernetes: the cluster.
        namespace: namespace of Argo's controller, which is that of KFP.
    """
    try:
        data = kubernetes.config_map(namespace, CONFIG_MAP)
    except ClusterRefused as error:
        detail = f"unknown: {error} ({CONFIG_MAP} in {namespace})"
        return Finding(subject="retries", ok=True, detail=detail)
    if data is None:
        detail = f"unknown: there is no ConfigMap {CONFIG_MAP} in {namespace}"
        return Finding(subject="retries", ok=True, detail=detail)
    found = retries(data)
    # A default installation multiplies attempts only for pods that are refused or lost each time.
    wrong = found.nested and found.failed
    return Finding(subject="retries", ok=not wrong, detail=found.detail)


def retries(config_map: Mapping[str, str]) -> Retries:
    """Return what a controller with this ConfigMap does; invalid YAML counts as empty."""
    strategy = _strategy(config_map)
    expression = bool(strategy.get("expression"))
    policy = strategy.get("retryPolicy") or ("Always" if expression else "OnFailure")
    failed, vanished = _KINDS.get(policy, (False, False))
    # A default strategy makes Argo retry every template, not only steps, and a pipeline ends in the
    # same phase as its step: Failed or Error.
    nested = bool(strategy) and (failed or vanished) and not expression
    return Retries(
        failed=failed, vanished=vanished, transient=policy == "OnTransientError", nested=nested
    )


def _strategy(config_map: Mapping[str, str]) -> Mapping[str, Any]:
    """Return `templateDefaults.retryStrategy` from the defaults of all workflows."""
    whole = _mapping(config_map.get("config"))
    found: Any = _mapping(config_map.get("workflowDefaults")) or whole.get("workflowDefaults")
    for key in ("spec", "templateDefaults", "retryStrategy"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _mapping(text: str | None) -> dict[str, Any]:
    try:
        found = next(iter(documents(text or "")), None)
    except NotYaml:
        return {}
    return found if isinstance(found, dict) else {}
