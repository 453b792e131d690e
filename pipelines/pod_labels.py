"""Labels of pods, as Kubernetes takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nasoa.errors import InvalidInput

# By which Kueue knows the queue of a pod.
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:{_PREFIX}/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
# KFP's and Argo's own, by which they find the pods of a run.
_TAKEN = ("pipeline/", "pipelines.kubeflow.org/", "workflows.argoproj.io/")


def check_labels(labels: Mapping[str, str], where: str) -> None:
    """Refuse what cannot be a label.

    Args:
        labels: by name.
        where: for the message.

    Raises:
        InvalidInput: a name or value is not one that Kubernetes takes, or it is KFP's own.
    """
    for name, value in labels.items():
        if not _KEY.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InvalidInput(
                f"expected a label of Kubernetes in {where}, like team: vision, got {name}: {value}"
            )
        if name.startswith(_TAKEN):
            raise InvalidInput(f"expected a label that is not KFP's own in {where}, got {name}")
