"""Every rule of Pod Security "restricted" that is broken is found, wherever the pod is."""

from __future__ import annotations

import pytest

from scripts.manifests.bundle import Bundle
from tests.manifests.breaking import (
    Break,
    container,
    context,
    pod,
    problems,
)
from tests.manifests.cluster_store import find


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda b: pod(b).update(hostNetwork=True), "hostNetwork is not allowed"),
        (lambda b: pod(b).update(hostPID=True), "hostPID is not allowed"),
        (lambda b: pod(b).update(hostIPC=True), "hostIPC is not allowed"),
        (
            lambda b: pod(b)["volumes"].append({"name": "v", "hostPath": {"path": "/"}}),
            "kind hostPath",
        ),
        (
            lambda b: pod(b)["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}]),
            "sysctl kernel.msgmax",
        ),
        (lambda b: pod(b)["securityContext"].update(runAsUser=0), "runAsUser must not be 0"),
        (lambda b: pod(b)["securityContext"].pop("runAsNonRoot"), "runAsNonRoot must be true"),
        (lambda b: pod(b)["securityContext"].pop("seccompProfile"), "seccompProfile.type"),
        (
            lambda b: pod(b)["securityContext"].update(windowsOptions={"hostProcess": True}),
            "a host process",
        ),
        (lambda b: pod(b).pop("automountServiceAccountToken"), "automountServiceAccountToken"),
        (lambda b: context(b).update(runAsNonRoot=False), "runAsNonRoot must be true"),
        (lambda b: context(b).update(runAsUser=0), "runAsUser must not be 0"),
        (lambda b: context(b).update(seccompProfile={"type": "Unconfined"}), "Unconfined"),
        (lambda b: context(b).update(appArmorProfile={"type": "Unconfined"}), "AppArmor"),
        (lambda b: context(b).update(seLinuxOptions={"user": "u"}), "seLinuxOptions"),
        (lambda b: context(b).pop("allowPrivilegeEscalation"), "allowPrivilegeEscalation"),
        (lambda b: context(b).update(privileged=True), "privileged is not allowed"),
        (lambda b: context(b).update(capabilities={}), "capabilities.drop must hold ALL"),
        (lambda b: context(b)["capabilities"].update(add=["NET_RAW"]), "capability NET_RAW"),
        (lambda b: context(b).update(procMount="Unmasked"), "procMount must be Default"),
        (lambda b: context(b).pop("readOnlyRootFilesystem"), "readOnlyRootFilesystem"),
        (lambda b: container(b)["ports"][0].update(hostPort=80), "hostPort 80"),
        (
            lambda b: pod(b).update(initContainers=[{"name": "first", "image": "x"}]),
            "container 'first': allowPrivilegeEscalation",
        ),
    ],
)
def test_pod_security(single_user: Bundle, broken: Break, said: str) -> None:
    found = problems("pod security", single_user, broken)
    assert any(said in line for line in found), found
    assert all(line.startswith("StatefulSet nasoa-store/seaweedfs: ") for line in found)


def test_pod_security_looks_into_training_runtimes(single_user_gpu: Bundle) -> None:
    runtime = find(single_user_gpu, "ClusterTrainingRuntime", "nasoa-torchrun")
    job = runtime["spec"]["template"]["spec"]["replicatedJobs"][0]
    spec = job["template"]["spec"]["template"]["spec"]
    found = problems("pod security", single_user_gpu, lambda _: spec.update(hostNetwork=True))
    assert {line.split(":")[0] for line in found} == {
        "ClusterTrainingRuntime nasoa-torchrun",
        "TrainJob kubeflow/pretrain-zoo",
    }
