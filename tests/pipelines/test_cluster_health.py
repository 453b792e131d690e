"""`nasoa doctor --cluster` finds what would stop a run, says what to do, and changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from nasoa.pipelines import catalogue
from nasoa.pipelines.demands import demands
from nasoa.pipelines.kubernetes_reading import full_name
from tests.pipelines.conftest import CANARY, Run
from tests.pipelines.http_server import Answer, Fault, answer
from tests.pipelines.kfp_server import KfpServer
from tests.pipelines.kubernetes_server import KubernetesServer, event, node, waiting_pod
from tests.pipelines.pooled_pipeline import pooled

TAINT = ("gpu", "true", "NoSchedule")


@pytest.fixture(autouse=True)
def _only_pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PIPELINES", {"pooled": pooled})


@dataclass(frozen=True)
class Findings:
    code: int
    error: str
    by_subject: dict[str, dict[str, Any]]

    def wrong(self) -> dict[str, str]:
        """Return what is not ok, except for the bucket, which does not exist in most tests."""
        found = {s: f["detail"] for s, f in self.by_subject.items() if not f["ok"]}
        found.pop("bucket", None)
        return found


def doctor(run: Run, host: str, *more: str) -> Findings:
    result = run("doctor", "--cluster", "--host", host, "--json", *more)
    assert CANARY not in result.out + result.err
    found = {finding["subject"]: finding for finding in json.loads(result.out)}
    for finding in found.values():
        assert "\n" not in finding["detail"]
    assert result.err.count("\n") == (0 if result.code == 0 else 1)
    return Findings(result.code, result.err, found)


def only(findings: Findings) -> str:
    """Return the only problem besides the bucket."""
    assert findings.code == 2
    (detail,) = findings.wrong().values()
    return detail


def test_a_cluster_in_order(
    run: Run, host: str, kubernetes: KubernetesServer, s3_environment: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    keys = {name: s3_environment.environment[name] for name in ("AWS_ACCESS_KEY_ID",)}
    kubernetes.secrets["nasoa-s3"] = {
        "access": keys["AWS_ACCESS_KEY_ID"],
        "secret": s3_environment.environment["AWS_SECRET_ACCESS_KEY"],
    }
    # The pods' keys count, not those of this machine.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    kubernetes.nodes[1] = node("gpu-1", {"pool": "gpu"}, gpus=4, images=("registry.test/nasoa:1",))
    findings = doctor(run, host, "--store", "s3://nasoa/doctor")
    assert findings.wrong() == {}
    assert findings.by_subject["bucket"]["ok"], findings.by_subject["bucket"]
    assert findings.code == 0
    assert sorted(findings.by_subject) == sorted(
        [
            "Kubeflow Pipelines",
            "version",
            "namespace",
            "secret nasoa-s3",
            "pool pool=cpu",
            "pool pool=gpu 1 nvidia.com/gpu",
            "image registry.test/nasoa:1",
            "image registry.test/nasoa-gpu:1",
            "retries",
            "pod of KFP's drivers",
            "pod pooled/light",
            "pod pooled/heavy",
            "bucket",
        ]
    )
    assert "is on 1 of 2 nodes" in findings.by_subject["image registry.test/nasoa:1"]["detail"]
    changing = [request for request in kubernetes.requests if request.method != "GET"]
    assert {(r.method, r.query["dryRun"]) for r in changing} == {("POST", "All")}

    kubernetes.secrets["nasoa-s3"]["secret"] = CANARY
    findings = doctor(run, host, "--store", "s3://nasoa/doctor")
    assert "refuses these credentials" in findings.by_subject["bucket"]["detail"]
    findings = doctor(run, host, "--store", "s3://nowhere/doctor")
    assert not findings.by_subject["bucket"]["ok"]


def test_a_folder_is_no_store_for_pods(run: Run, host: str, kubernetes: KubernetesServer) -> None:
    findings = doctor(run, host)
    assert findings.wrong() == {}
    assert findings.code == 2
    assert "expected --store s3://bucket/prefix" in findings.by_subject["bucket"]["detail"]


def test_a_bucket_inside_the_cluster(
    run: Run, host: str, kubernetes: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NASOA_S3_ENDPOINT", raising=False)
    kubernetes.secrets["nasoa-s3"]["NASOA_S3_ENDPOINT"] = "http://minio.storage.svc.invalid:9000"
    detail = doctor(run, host, "--store", "s3://nasoa/x").by_subject["bucket"]["detail"]
    assert "forward its port and set NASOA_S3_ENDPOINT here" in detail


@pytest.mark.parametrize(
    ("version", "ok"),
    [("2.17.0", True), ("2.17.5", True), ("2.20.1", True), (None, True), ("dev", True),
     ("2.5.0", False), ("3.0.0", False)],
)  # fmt: skip
def test_versions(
    run: Run, host: str, kfp: KfpServer, kubernetes: KubernetesServer, version: str | None, ok: bool
) -> None:
    kfp.version = version
    findings = doctor(run, host)
    assert findings.by_subject["version"]["ok"] == ok
    if not ok:
        assert "upgrade KFP to 2.17 or a later 2.x" in only(findings)


def test_kfp_that_does_not_answer_hides_nothing_else(
    run: Run, host: str, kfp: KfpServer, kubernetes: KubernetesServer
) -> None:
    kfp.faults = [Fault(".", Answer(200, b"<html></html>"))]
    kubernetes.nodes = []
    wrong = doctor(run, host).wrong()
    assert "got a web page" in wrong["Kubeflow Pipelines"]
    assert "no node has the labels pool=cpu" in wrong["pool pool=cpu"]
    kfp.faults = [Fault("/runs", answer(401, {}))]
    assert "requires authentication (401)" in doctor(run, host).wrong()["Kubeflow Pipelines"]


def test_a_namespace_that_is_not_there(run: Run, host: str, kubernetes: KubernetesServer) -> None:
    wrong = doctor(run, host, "--namespace", "elsewhere").wrong()
    assert "no namespace 'elsewhere'; name that" in wrong["namespace"]
    assert "not in elsewhere; create it: kubectl" in wrong["secret nasoa-s3"]


def test_secrets(run: Run, host: str, kubernetes: KubernetesServer) -> None:
    del kubernetes.secrets["nasoa-s3"]["secret"]
    assert "has no value for secret" in only(doctor(run, host))
    kubernetes.secrets = {}
    assert "--from-literal=access=... --from-literal=secret=..." in only(doctor(run, host))


@pytest.mark.parametrize(
    ("gpu_node", "expected"),
    [
        (node("g", {"pool": "a100"}, gpus=1), "labels pool=gpu; nodes have pool=a100, pool=cpu;"),
        (node("g", {"pool": "gpu"}), "no node with pool=gpu offers 1 nvidia.com/gpu; is the"),
        (node("g", {"pool": "gpu"}, gpus=1, ready=False), "cordoned or not ready"),
        (node("g", {"pool": "gpu"}, gpus=1, cordoned=True), "cordoned or not ready"),
        (node("g", {"pool": "gpu"}, gpus=1, taints=(("spot", "", "NoExecute"),)),
         "taints that are not tolerated: spot:NoExecute"),
    ],
)  # fmt: skip
def test_a_pool_that_would_leave_pods_pending(
    run: Run, host: str, kubernetes: KubernetesServer, gpu_node: Any, expected: str
) -> None:
    kubernetes.nodes[1] = gpu_node
    detail = only(doctor(run, host))
    assert expected in detail
    assert "pooled/heavy would stay pending" in detail


def test_pools_as_the_parameters_say(
    run: Run, host: str, kfp: KfpServer, kubernetes: KubernetesServer
) -> None:
    kubernetes.nodes[1] = node("g", {"pool": "gpu"}, gpus=4, taints=(TAINT,))
    assert doctor(run, host, "-p", "count=4").wrong() == {}
    assert "offers 5 nvidia.com/gpu" in only(doctor(run, host, "-p", "count=5"))
    other = '{"pool": "h100"}'
    assert "no node has the labels pool=h100" in only(doctor(run, host, "-p", f"selector={other}"))
    value = '{"key": "gpu", "value": "false"}'
    assert "not tolerated" in only(doctor(run, host, "-p", f"tolerations={value}"))
    value = '{"key": "gpu", "value": "true"}'
    assert doctor(run, host, "-p", f"tolerations={value}").wrong() == {}
    # Runs of a schedule count too.
    scheduled = run(
        "pipeline", "schedule", "pooled", "--cron", "@daily", "--host", host, "-p", "count=8"
    )
    assert scheduled.code == 0, scheduled.err
    assert "offers 8 nvidia.com/gpu" in only(doctor(run, host))


def test_images_that_cannot_be_pulled(run: Run, host: str, kubernetes: KubernetesServer) -> None:
    why = 'Failed to pull image "registry.test/nasoa-gpu:1": not\nfound'
    kubernetes.events = [event("Failed", why), event("Started", "Started container")]
    kubernetes.pods = [
        waiting_pod("step-1", "registry.test/nasoa-gpu:1", "ImagePullBackOff"),
        waiting_pod("other", "somebody/else:1", "ImagePullBackOff"),
        waiting_pod("step-2", "registry.test/nasoa:1", "ContainerCreating"),
    ]
    detail = only(doctor(run, host))
    assert "cannot be pulled: ImagePullBackOff in step-1: Failed to pull image" in detail
    assert "not found; push it, or give" in detail


@pytest.mark.parametrize(
    ("right", "subject"),
    [
        ("get namespaces", "namespace"),
        ("get secrets", "secret nasoa-s3"),
        ("list nodes", "nodes"),
        ("list pods", "images"),
        ("list events", "images"),
    ],
)
def test_a_right_that_is_missing_is_named(
    run: Run, host: str, kubernetes: KubernetesServer, right: str, subject: str
) -> None:
    kubernetes.forbidden = {right}
    assert f"not allowed to {right}; ask for a role" in doctor(run, host).wrong()[subject]


def test_retries_are_those_of_the_controller(
    run: Run, host: str, kubernetes: KubernetesServer
) -> None:
    detail = doctor(run, host).by_subject["retries"]["detail"]
    assert "only a step whose pod is refused, deleted or lost, not a step that ends with" in detail
    assert "around such a step is retried too" in detail
    changed = kubernetes.config_maps["workflow-controller-configmap"]
    changed["workflowDefaults"] = changed["workflowDefaults"].replace("OnError", "Always")
    assert "attempts multiply; add expression:" in doctor(run, host).wrong()["retries"]
    kubernetes.forbidden = {"get configmaps"}
    findings = doctor(run, host)
    assert findings.wrong() == {}
    assert "unknown: not allowed to get" in findings.by_subject["retries"]["detail"]
    kubernetes.forbidden, kubernetes.config_maps = set(), {}
    assert "there is no ConfigMap" in doctor(run, host).by_subject["retries"]["detail"]


def test_kubernetes_out_of_reach(
    run: Run, host: str, kubernetes: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.faults = [Fault(".", answer(401, {}))]
    assert "rejects the credentials (401)" in doctor(run, host).wrong()["namespace"]
    kubernetes.faults = [Fault(".", Answer(200, b"nonsense"))]
    assert "namespace" in doctor(run, host).wrong()
    assert "no Kubernetes cluster is configured" in only(
        doctor(run, host, "--kube-context", "other")
    )
    monkeypatch.setenv("KUBECONFIG", "nowhere")
    assert "set KUBECONFIG" in only(doctor(run, host))
    # As in a pod whose service account is not mounted.
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert "no Kubernetes cluster is configured" in only(doctor(run, host))


def test_mistakes_of_the_doctors_caller(run: Run, host: str) -> None:
    assert run("doctor", "--cluster").code == 2
    assert run("doctor", "--cluster", "--host", host, "--pipeline", "poled").code == 2
    result = run("doctor", "--cluster", "--host", host, "-p", "selector=gpu")
    assert (result.code, result.out) == (2, "")
    assert "a JSON mapping" in result.err


def test_demands_follow_parameters_into_loops() -> None:
    heavy, light = demands("pooled", {"count": "2", "selector": {"zone": "b"}})
    assert (light.step, light.selector, light.accelerator) == ("light", {"pool": "cpu"}, None)
    assert light.secrets == {
        "nasoa-s3": {"access": "AWS_ACCESS_KEY_ID", "secret": "AWS_SECRET_ACCESS_KEY"}
    }
    assert (heavy.step, heavy.selector) == ("heavy", {"zone": "b"})
    assert (heavy.accelerator, heavy.count) == ("nvidia.com/gpu", 2)
    assert heavy.tolerations == ({"key": "gpu", "operator": "Exists"},)
    assert heavy.image == "registry.test/nasoa-gpu:1"
    assert demands("pooled", {"count": "0"})[0].accelerator is None


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("nasoa", "docker.io/library/nasoa:latest"),
        ("nasoa:1", "docker.io/library/nasoa:1"),
        ("team/nasoa:1", "docker.io/team/nasoa:1"),
        ("localhost:5000/nasoa", "localhost:5000/nasoa:latest"),
        ("r.test/a/nasoa@sha256:00", "r.test/a/nasoa@sha256:00"),
    ],
)
def test_names_of_images(given: str, full: str) -> None:
    assert full_name(given) == full
