"""Each check finds what it is for: one thing is broken in documents that passed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.manifests.bundle import MANIFESTS, BuildFailed, Bundle, Document, build
from scripts.manifests.checks import CHECKS
from scripts.manifests.selectors import matches
from tests.manifests.cluster_store import find

Break = Callable[[Bundle], object]


def stateful_set(bundle: Bundle) -> Document:
    return find(bundle, "StatefulSet", "seaweedfs")


def pod(bundle: Bundle) -> dict[str, Any]:
    spec: dict[str, Any] = stateful_set(bundle)["spec"]["template"]["spec"]
    return spec


def container(bundle: Bundle) -> dict[str, Any]:
    (found,) = pod(bundle)["containers"]
    return dict_of(found)


def dict_of(value: Any) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def context(bundle: Bundle) -> dict[str, Any]:
    return dict_of(container(bundle)["securityContext"])


def role(bundle: Bundle) -> dict[str, Any]:
    return dict_of(find(bundle, "Role", "nasoa-pipeline")["rules"][0])


def problems(check: str, bundle: Bundle, broken: Break) -> list[str]:
    """What the check says of the broken bundle; it said nothing before."""
    assert list(CHECKS[check](bundle)) == []
    broken(bundle)
    return list(CHECKS[check](bundle))


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
def test_pod_security(local: Bundle, broken: Break, said: str) -> None:
    found = problems("pod security", local, broken)
    assert any(said in line for line in found), found
    assert all(line.startswith("StatefulSet nasoa-store/seaweedfs: ") for line in found)


def test_pod_security_looks_into_training_runtimes(gpu: Bundle) -> None:
    runtime = find(gpu, "ClusterTrainingRuntime", "nasoa-torchrun")
    job = runtime["spec"]["template"]["spec"]["replicatedJobs"][0]
    spec = job["template"]["spec"]["template"]["spec"]
    found = problems("pod security", gpu, lambda _: spec.update(hostNetwork=True))
    assert {line.split(":")[0] for line in found} == {
        "ClusterTrainingRuntime nasoa-torchrun",
        "TrainJob nasoa/pretrain-zoo",
    }


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("seaweedfs", "has no digest"),
        ("docker.io/chrislusf/seaweedfs:4.48", "has no digest, and no overlay sets it"),
        ("docker.io/chrislusf/seaweedfs:latest", "whatever was pushed last"),
        (f"docker.io/chrislusf/seaweedfs:latest@sha256:{'0' * 64}", "whatever was pushed last"),
        ("localhost:5000/seaweedfs", "has no digest"),
        (f"seaweedfs@sha256:{'0' * 63}", "has no digest"),
    ],
)
def test_images(local: Bundle, image: str, said: str) -> None:
    found = problems("images", local, lambda b: container(b).update(image=image))
    assert [said in line for line in found] == [True]


def test_an_image_of_the_train_job_counts(gpu: Bundle) -> None:
    trainer = find(gpu, "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    found = problems("images", gpu, lambda _: trainer.update(image="registry.example.com/other:1"))
    assert len(found) == 1
    assert found[0].startswith("TrainJob nasoa/pretrain-zoo")


@pytest.mark.parametrize("part", ["requests", "limits"])
@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_resources(local: Bundle, part: str, name: str) -> None:
    found = problems("resources", local, lambda b: container(b)["resources"][part].pop(name))
    assert [f"resources.{part}.{name} is missing" in line for line in found] == [True]


def test_gpus_are_requested_as_they_are_limited(gpu: Bundle) -> None:
    trainer = find(gpu, "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    limits = trainer["resourcesPerNode"]["limits"]
    found = problems("resources", gpu, lambda _: limits.update({"nvidia.com/gpu": "8"}))
    assert ["nvidia.com/gpu must be equal" in line for line in found] == [True]


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("ServiceAccount", "nasoa-store", "ServiceAccount nasoa-store/nasoa-store does not exist"),
        ("PriorityClass", "nasoa-online", "PriorityClass nasoa-online does not exist"),
        ("ConfigMap", "nasoa-bucket-script", "ConfigMap nasoa-store/nasoa-bucket-script does not"),
        ("Namespace", "nasoa-store", "Namespace nasoa-store does not exist"),
        ("Role", "nasoa-pipeline", "Role nasoa/nasoa-pipeline does not exist"),
        ("ClusterRole", "nasoa-doctor", "ClusterRole nasoa-doctor does not exist"),
    ],
)
def test_references(local: Bundle, kind: str, name: str, said: str) -> None:
    removed = find(local, kind, name)
    found = problems("references", local, lambda b: b.documents.remove(removed))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("PersistentVolumeClaim", "nasoa-data-cache", "nasoa/nasoa-data-cache does not exist"),
        ("ClusterTrainingRuntime", "nasoa-torchrun", "nasoa-torchrun does not exist"),
        ("ConfigMap", "nasoa-settings", "ConfigMap nasoa/nasoa-settings does not exist"),
    ],
)
def test_references_of_the_train_job(gpu: Bundle, kind: str, name: str, said: str) -> None:
    removed = find(gpu, kind, name)
    found = problems("references", gpu, lambda b: b.documents.remove(removed))
    assert found
    assert all(line.startswith("TrainJob nasoa/pretrain-zoo: ") and said in line for line in found)


def test_a_secret_that_nobody_declared(local: Bundle) -> None:
    volume = {"name": "v", "secret": {"secretName": "forgotten"}}
    found = problems("references", local, lambda b: pod(b)["volumes"].append(volume))
    assert ["Secret nasoa-store/forgotten does not exist" in line for line in found] == [True]


def test_a_key_that_a_secret_does_not_hold(local: Bundle) -> None:
    variable = container(local)["env"][1]
    found = problems(
        "references", local, lambda _: variable["valueFrom"]["secretKeyRef"].update(key="PASSWORD")
    )
    assert ["Secret nasoa-store/nasoa-s3-admin has no key 'PASSWORD'" in f for f in found] == [True]


def test_a_vault_that_nobody_declared(built: dict[str, Bundle]) -> None:
    bundle = built["gpu-external-secrets"]
    undeclared = Bundle(bundle.documents, {}, bundle.image_entries)
    found = list(CHECKS["references"](undeclared))
    assert found
    assert all("ClusterSecretStore nasoa-vault does not exist" in line for line in found)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda b: role(b).update(verbs=["*"]), "verbs has a wildcard"),
        (lambda b: role(b).update(resources=["*"]), "resources has a wildcard"),
        (lambda b: role(b).update(apiGroups=["*"]), "apiGroups has a wildcard"),
        (lambda b: role(b).update(resources=["pods/*"]), "resources has a wildcard"),
        (lambda b: role(b).update(resources=["secrets"]), "without resourceNames"),
        (
            lambda b: role(b).update(resources=["secrets"], resourceNames=["a"], verbs=["list"]),
            "must not be listed",
        ),
        (lambda b: role(b).update(verbs=["escalate"]), "the verb escalate"),
        (lambda b: role(b).update(resources=["pods/exec"]), "pods/exec lets its holder"),
        (
            lambda b: find(b, "RoleBinding", "nasoa-pipeline")["subjects"][0].update(
                name="default"
            ),
            "bind a service account made for this",
        ),
        (
            lambda b: find(b, "ClusterRoleBinding", "nasoa-doctor")["roleRef"].update(
                name="cluster-admin"
            ),
            "cluster-admin may do far too much",
        ),
    ],
)
def test_rights(local: Bundle, broken: Break, said: str) -> None:
    found = problems("rights", local, broken)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda b: stateful_set(b)["spec"]["selector"].update(matchLabels={"a": "b"}),
            "StatefulSet nasoa-store/seaweedfs: its selector does not match its own",
        ),
        (
            lambda b: find(b, "Service", "seaweedfs")["spec"].update(selector={"a": "b"}),
            "Service nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: container(b)["ports"][0].update(name="http"),
            "targetPort 's3' is no port of its pods",
        ),
        (
            lambda b: find(b, "PodDisruptionBudget", "seaweedfs")["spec"].update(
                selector={"matchLabels": {"a": "b"}}
            ),
            "PodDisruptionBudget nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: find(b, "NetworkPolicy", "seaweedfs")["spec"].update(
                podSelector={"matchLabels": {"a": "b"}}
            ),
            "NetworkPolicy nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: find(b, "NetworkPolicy", "seaweedfs")["spec"]["ingress"][1].update(
                {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}
            ),
            "NetworkPolicy nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: find(b, "Namespace", "nasoa-store")["metadata"].update(labels={}),
            "NetworkPolicy nasoa/allow-store: no namespace has the labels",
        ),
    ],
)
def test_selectors(local: Bundle, broken: Break, said: str) -> None:
    found = problems("selectors", local, broken)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["x"], [True, False, False]),
        ("NotIn", ["x"], [False, True, True]),
        ("Exists", [], [True, True, False]),
        ("DoesNotExist", [], [False, False, True]),
    ],
)
def test_expressions_of_selectors(operator: str, values: list[str], expected: list[bool]) -> None:
    rule = {"key": "k", "operator": operator, "values": values}
    labels: list[dict[str, str]] = [{"k": "x"}, {"k": "y"}, {}]
    assert [matches({"matchExpressions": [rule]}, each) for each in labels] == expected


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda b: pod(b).update(colour="red"), "'colour' was unexpected"),
        (lambda b: stateful_set(b)["spec"].update(replicas="one"), "spec.replicas"),
        (lambda b: stateful_set(b)["spec"].pop("selector"), "'selector' is a required property"),
        (lambda b: stateful_set(b).update(apiVersion="apps/v1beta1"), "knows apps/v1beta1"),
        (lambda b: stateful_set(b).update(kind="Unheard"), "knows apps/v1 Unheard"),
    ],
)
def test_schemas(local: Bundle, broken: Break, said: str) -> None:
    found = problems("schemas", local, broken)
    # Once for each version.
    assert [said in line for line in found] == [True, True], found


def train_job(bundle: Bundle) -> dict[str, Any]:
    return dict_of(find(bundle, "TrainJob", "pretrain-zoo")["spec"])


def runtime_job(bundle: Bundle) -> dict[str, Any]:
    runtime = find(bundle, "ClusterTrainingRuntime", "nasoa-torchrun")
    return dict_of(runtime["spec"]["template"]["spec"]["replicatedJobs"][0])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda b: train_job(b).update(nodes=2), "'nodes' was unexpected"),
        (lambda b: train_job(b)["trainer"].update(numNodes="two"), "spec.trainer.numNodes"),
        (lambda b: train_job(b).pop("runtimeRef"), "'runtimeRef' is a required property"),
        (lambda b: runtime_job(b).update(name="A B"), "replicatedJobs.0.name"),
        (
            lambda b: runtime_job(b)["template"]["spec"]["template"]["spec"].update(colour="red"),
            "'colour' was unexpected",
        ),
    ],
)
def test_schemas_of_the_trainer(gpu: Bundle, broken: Break, said: str) -> None:
    found = problems("schemas", gpu, broken)
    assert found
    assert all(said in line for line in found), found


@pytest.mark.parametrize(
    ("overlay", "kind", "broken", "said"),
    [
        (
            "gpu-external-secrets",
            "ExternalSecret",
            lambda spec: spec["data"][0].pop("remoteRef"),
            "'remoteRef' is a required property",
        ),
        (
            "gpu-external-secrets",
            "ExternalSecret",
            lambda spec: spec.update(refreshInterval="hourly"),
            "spec.refreshInterval",
        ),
        (
            "local-monitoring",
            "PodMonitor",
            lambda spec: spec["podMetricsEndpoints"][0].update(interval="often"),
            "spec.podMetricsEndpoints.0.interval",
        ),
    ],
)
def test_schemas_of_operators(
    built: dict[str, Bundle],
    overlay: str,
    kind: str,
    broken: Callable[[dict[str, Any]], object],
    said: str,
) -> None:
    text = yaml.safe_dump(next(d for d in built[overlay].documents if d["kind"] == kind))
    bundle = Bundle([yaml.safe_load(text)])
    found = problems("schemas", bundle, lambda b: broken(b.documents[0]["spec"]))
    assert [said in line for line in found] == [True]


def test_a_monitor_that_asks_for_no_port(built: dict[str, Bundle]) -> None:
    text = yaml.safe_dump_all(built["local-monitoring"].documents)
    bundle = Bundle(list(yaml.safe_load_all(text)))
    endpoint = find(bundle, "PodMonitor", "seaweedfs")["spec"]["podMetricsEndpoints"][0]
    found = problems("selectors", bundle, lambda _: endpoint.update(port="statistics"))
    assert ["'statistics' is no port of its pods" in line for line in found] == [True]


def test_an_overlay_that_cannot_be_built(tmp_path: Path, built: dict[str, Bundle]) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(BuildFailed, match=r"absent\.yaml"):
        build(tmp_path)


def test_the_command_writes_and_tells(tmp_path: Path, built: dict[str, Bundle]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.manifests", "--out", str(tmp_path)],
        cwd=MANIFESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(built)
    written = list(yaml.safe_load_all((tmp_path / "local.yaml").read_text()))
    assert written == built["local"].documents
