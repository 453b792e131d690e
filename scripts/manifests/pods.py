"""Every pod that a bundle asks for, wherever its template lies."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.manifests.bundle import Bundle, Document, namespace_of, title

WORKLOADS = {"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"}
TRAINER_STEP = "trainer.kubeflow.org/trainjob-ancestor-step"
# JobSet sets this label on every pod, and Kubeflow Trainer names the JobSet after the TrainJob.
JOBSET_NAME = "jobset.sigs.k8s.io/jobset-name"


@dataclass(frozen=True)
class Pod:
    """A pod's template; `namespace` is "" where only a job that uses it will tell."""

    where: str
    namespace: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers, those that run first too."""
        kinds = ("initContainers", "containers", "ephemeralContainers")
        return [container for kind in kinds for container in self.spec.get(kind, ())]


def pods(bundle: Bundle) -> Iterator[Pod]:
    """The pods of workloads, of training runtimes, and of the train jobs that use these."""
    for document in bundle.documents:
        kind = document["kind"]
        if kind == "Pod":
            yield _pod(document, document)
        elif kind in WORKLOADS:
            yield _pod(document, document["spec"]["template"])
        elif kind == "CronJob":
            yield _pod(document, document["spec"]["jobTemplate"]["spec"]["template"])
        elif kind in ("ClusterTrainingRuntime", "TrainingRuntime"):
            for job in replicated_jobs(document):
                yield _pod(document, job["template"]["spec"]["template"])
        elif kind == "TrainJob":
            yield from _trained(document, bundle)


def replicated_jobs(runtime: Document) -> list[dict[str, Any]]:
    """The jobs of a training runtime."""
    jobs: list[dict[str, Any]] = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    return jobs


def _pod(document: Document, template: Document) -> Pod:
    labels = template.get("metadata", {}).get("labels", {})
    return Pod(title(document), namespace_of(document), labels, template["spec"])


def _trained(job: Document, bundle: Bundle) -> Iterator[Pod]:
    """The runtime's pods with what the train job says of its trainer."""
    trainer = job["spec"].get("trainer", {})
    for runtime in bundle.documents:
        if (
            runtime["kind"] not in ("ClusterTrainingRuntime", "TrainingRuntime")
            or runtime["metadata"]["name"] != job["spec"]["runtimeRef"]["name"]
        ):
            continue
        for replicated in replicated_jobs(runtime):
            template = copy.deepcopy(replicated["template"]["spec"]["template"])
            step = replicated["template"].get("metadata", {}).get("labels", {}).get(TRAINER_STEP)
            if step == "trainer":
                _override(template["spec"]["containers"][0], trainer)
            labels = template.setdefault("metadata", {}).setdefault("labels", {})
            labels[JOBSET_NAME] = job["metadata"]["name"]
            yield _pod(job, template)


def _override(container: dict[str, Any], trainer: dict[str, Any]) -> None:
    for name in ("image", "command", "args"):
        if name in trainer:
            container[name] = trainer[name]
    if "resourcesPerNode" in trainer:
        container["resources"] = trainer["resourcesPerNode"]
    container["env"] = [*container.get("env", ()), *trainer.get("env", ())]
