"""What a server would refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from scripts.manifests.bundle import Bundle
from tests.manifests.breaking import (
    Break,
    dict_of,
    pod,
    problems,
    stateful_set,
)
from tests.manifests.cluster_store import find


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
def test_schemas(single_user: Bundle, broken: Break, said: str) -> None:
    found = problems("schemas", single_user, broken)
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
        (lambda b: runtime_job(b).update(replicas="one"), "replicatedJobs.0.replicas"),
        (
            lambda b: runtime_job(b)["template"]["spec"]["template"]["spec"].update(colour="red"),
            "'colour' was unexpected",
        ),
    ],
)
def test_schemas_of_the_trainer(single_user_gpu: Bundle, broken: Break, said: str) -> None:
    found = problems("schemas", single_user_gpu, broken)
    assert found
    assert all(said in line for line in found), found


@pytest.mark.parametrize(
    ("overlay", "kind", "broken", "said"),
    [
        (
            "multi-user-full",
            "ExternalSecret",
            lambda spec: spec["data"][0].pop("remoteRef"),
            "'remoteRef' is a required property",
        ),
        (
            "multi-user-full",
            "ExternalSecret",
            lambda spec: spec.update(refreshInterval=60),
            "spec.refreshInterval",
        ),
        (
            "single-user-full",
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
    assert found
    assert all(said in line for line in found), found


def test_what_a_newer_trainer_no_longer_has(single_user_gpu: Bundle) -> None:
    """`numProcPerNode` of the runtime went with release 2.2, which refuses the field."""
    policy = find(single_user_gpu, "ClusterTrainingRuntime", "nasoa-torchrun")["spec"]["mlPolicy"]
    (found,) = problems(
        "schemas", single_user_gpu, lambda _: policy.update(torch={"numProcPerNode": "auto"})
    )
    assert "kubeflow/trainer v2.3.0: spec.mlPolicy.torch" in found
    assert "'numProcPerNode' was unexpected" in found


def test_a_cluster_wide_resource_has_no_namespace(multi_user: Bundle) -> None:
    metadata = find(multi_user, "Profile", "nasoa")["metadata"]
    (found,) = problems("schemas", multi_user, lambda _: metadata.update(namespace="nasoa"))
    assert "'namespace' was unexpected" in found
