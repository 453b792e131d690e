"""Check labels of pods against Kubernetes' rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nasoa.errors import InvalidInput

# Label with the Kueue queue of a pod.
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:{_PREFIX}/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
# Prefixes of the labels by which KFP and Argo find the pods of a run.
_TAKEN = ("pipeline/", "pipelines.kubeflow.org/", "workflows.argoproj.io/")


def check_labels(labels: Mapping[str, str], where: str) -> None:
    """Refuse labels that Kubernetes does not accept, and those that KFP and Argo reserve.

    Args:
        labels: values by name.
        where: origin of the labels, for the message.

    Raises:
        InvalidInput: a name or value is not valid in Kubernetes, or a name is reserved.
    """
    for name, value in labels.items():
        if not _KEY.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InvalidInput(
                f"expected a Kubernetes label in {where}, like team: vision, got {name}: {value}"
            )
        if name.startswith(_TAKEN):
            raise InvalidInput(f"expected a label that is not reserved in {where}, got {name}")
