"""Every overlay builds and passes every check; and what the checks do not know of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import nasoa
from nasoa.cli.main import build_parser
from nasoa.duration import parse_duration
from nasoa.pipelines.placement import POOL_PARAMETERS
from scripts.manifests.bundle import MANIFESTS, Bundle, overlays
from scripts.manifests.checks import CHECKS
from scripts.manifests.pods import pods
from tests.manifests.cluster_store import find

OVERLAYS = [overlay.name for overlay in overlays()]


def test_the_two_overlays_are_there() -> None:
    assert {"local", "gpu"} <= set(OVERLAYS)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_overlay_passes(built: dict[str, Bundle], overlay: str, check: str) -> None:
    assert list(CHECKS[check](built[overlay])) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_that_pipelines_rely_on(built: dict[str, Bundle], overlay: str) -> None:
    bundle = built[overlay]
    assert find(bundle, "Namespace", "nasoa")
    assert find(bundle, "ServiceAccount", "nasoa-pipeline")["metadata"]["namespace"] == "nasoa"
    settings = find(bundle, "ConfigMap", "nasoa-settings")["data"]
    assert settings["NASOA_STORE"] == "s3://nasoa"
    assert re.match(r"https?://[^/]+$", settings["NASOA_S3_ENDPOINT"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pod_security_is_enforced_where_pods_run(built: dict[str, Bundle], overlay: str) -> None:
    namespaces = [d for d in built[overlay].documents if d["kind"] == "Namespace"]
    for namespace in namespaces:
        labels = namespace["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    names = {namespace["metadata"]["name"] for namespace in namespaces}
    assert {pod.namespace for pod in pods(built[overlay]) if pod.namespace} <= names


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_in_the_manifests(built: dict[str, Bundle], overlay: str) -> None:
    assert [d for d in built[overlay].documents if d["kind"] == "Secret"] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_administrators_keys_are_not_where_pipelines_run(
    built: dict[str, Bundle], overlay: str
) -> None:
    """Any pod can mount any secret of its own namespace."""
    for pod in pods(built[overlay]):
        if "nasoa-s3-admin" in yaml.safe_dump(pod.spec):
            assert pod.namespace == "nasoa-store"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_namespace_denies_all_traffic_first(built: dict[str, Bundle], overlay: str) -> None:
    denying = {
        document["metadata"]["namespace"]
        for document in built[overlay].documents
        if document["kind"] == "NetworkPolicy"
        and document["spec"] == {"podSelector": {}, "policyTypes": document["spec"]["policyTypes"]}
        and set(document["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    }
    assert denying == {"nasoa", "nasoa-store"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_online_comes_before_offline(built: dict[str, Bundle], overlay: str) -> None:
    """Steps of KFP have no class, so 0: offline work must be below that too."""
    online = find(built[overlay], "PriorityClass", "nasoa-online")
    offline = find(built[overlay], "PriorityClass", "nasoa-offline")
    assert online["value"] > 0 > offline["value"]
    assert offline["preemptionPolicy"] == "Never"


def test_the_quota_is_enough_for_what_the_manifests_run(built: dict[str, Bundle]) -> None:
    hard = find(built["gpu"], "ResourceQuota", "nasoa")["spec"]["hard"]
    job = find(built["gpu"], "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    wanted = int(job["resourcesPerNode"]["requests"]["nvidia.com/gpu"])
    assert 0 < wanted <= int(hard["requests.nvidia.com/gpu"])


@pytest.mark.parametrize(("overlay", "gpu_steps"), [("gpu", 72), ("local", 1)])
def test_the_quota_holds_steps_of_the_default_sizes(
    built: dict[str, Bundle], overlay: str, gpu_steps: int
) -> None:
    """So many GPU steps at once (docs/pipelines.md), with a light step beside them."""
    hard = find(built[overlay], "ResourceQuota", "nasoa")["spec"]["hard"]
    defaults = {parameter.name: parameter.default for parameter in POOL_PARAMETERS}
    for what in ("cpu", "memory"):
        for bound in ("request", "limit"):
            gpu, light = (amount(defaults[f"{pool}_{what}_{bound}"]) for pool in ("gpu", "light"))
            assert gpu_steps * gpu + light <= amount(hard[f"{bound}s.{what}"])


def amount(quantity: str) -> float:
    """A quantity of Kubernetes as a number."""
    number, unit = re.fullmatch(r"([\d.]+)(m|[KMGT]i)?", quantity).groups()  # type: ignore[union-attr]
    scales = {"m": 1e-3, **{f"{sign}i": 1024.0**power for power, sign in enumerate("KMGT", 1)}}
    return float(number) * scales.get(unit, 1.0)


def test_pretraining_runs_in_the_offline_pool(built: dict[str, Bundle]) -> None:
    (pod,) = [pod for pod in pods(built["gpu"]) if pod.where == "TrainJob nasoa/pretrain-zoo"]
    assert pod.spec["nodeSelector"] == {"nasoa/pool": "offline"}
    assert pod.spec["priorityClassName"] == "nasoa-offline"
    tolerated = {parameter.name: parameter.default for parameter in POOL_PARAMETERS}
    assert pod.spec["tolerations"] == tolerated["gpu_tolerations"]  # as steps of pipelines have it
    (container,) = pod.containers
    assert container["image"].endswith(f":{nasoa.__version__}")


def test_pretraining_calls_a_verb_that_there_is(built: dict[str, Bundle]) -> None:
    trainer = find(built["gpu"], "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    assert trainer["command"] == ["torchrun", "-m", "nasoa"]
    arguments = build_parser().parse_args(trainer["args"])
    assert callable(arguments.run)
    # /tmp is too small for data from a store, and the default limit for ImageNet.
    (pod,) = [pod for pod in pods(built["gpu"]) if pod.where == "TrainJob nasoa/pretrain-zoo"]
    (mount,) = [m for c in pod.containers for m in c["volumeMounts"] if m["name"] == "cache"]
    assert arguments.data.startswith(f"shards:{mount['mountPath']}/")
    assert parse_duration(arguments.time_limit) >= 24 * 3600


def test_the_job_and_the_pods_find_the_same_minio(built: dict[str, Bundle]) -> None:
    (container,) = find(built["gpu"], "Job", "create-bucket")["spec"]["template"]["spec"][
        "containers"
    ]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    settings = find(built["gpu"], "ConfigMap", "nasoa-settings")["data"]
    assert variables["ENDPOINT"] == settings["NASOA_S3_ENDPOINT"]
    assert settings["NASOA_STORE"] == f"s3://{variables['BUCKET']}"


def test_only_the_bucket_job_reaches_what_asks_for_no_keys(built: dict[str, Bundle]) -> None:
    """SeaweedFS's master and filer let anyone in, on HTTP and on gRPC."""
    policy = find(built["local"], "NetworkPolicy", "seaweedfs")
    open_ports = {8888, 9333, 18888, 19333}
    for rule in policy["spec"]["ingress"]:
        ports = {port["port"] for port in rule["ports"]}
        if ports & open_ports:
            assert rule["from"] == [
                {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "create-bucket"}}}
            ]


@pytest.mark.parametrize("script", sorted(MANIFESTS.glob("components/*/*.sh")), ids=str)
def test_scripts_are_plain_shell(script: Path) -> None:
    import subprocess

    checked = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
