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
from scripts.manifests.pods import Pod, pods
from tests.manifests.cluster_store import find

OVERLAYS = [overlay.name for overlay in overlays()]
SINGLE_USER = [name for name in OVERLAYS if name.startswith("single-user")]
MULTI_USER = [name for name in OVERLAYS if name.startswith("multi-user")]
# Where runs are, by the mode of KFP.
TASKS = {"single-user": "kubeflow", "multi-user": "nasoa"}
TENANTS = {"nasoa-example"}
SEARCH = {"single-user": "kubeflow", "multi-user": "nasoa-search"}


def mode(overlay: str) -> str:
    return overlay[: overlay.index("-user")] + "-user"


def test_each_mode_of_kfp_has_overlays() -> None:
    assert {"single-user", "single-user-gpu"} <= set(SINGLE_USER)
    assert {"multi-user", "multi-user-gpu"} <= set(MULTI_USER)
    assert {*SINGLE_USER, *MULTI_USER} == set(OVERLAYS)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_overlay_passes(built: dict[str, Bundle], overlay: str, check: str) -> None:
    assert list(CHECKS[check](built[overlay])) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_that_pipelines_rely_on(built: dict[str, Bundle], overlay: str) -> None:
    bundle = built[overlay]
    for namespace in {TASKS[mode(overlay)], SEARCH[mode(overlay)]}:
        assert find(bundle, "ServiceAccount", "nasoa-pipeline", namespace)
        settings = find(bundle, "ConfigMap", "nasoa-settings", namespace)["data"]
        assert settings["NASOA_STORE"] == "s3://nasoa"
        assert re.match(r"https?://[^/]+$", settings["NASOA_S3_ENDPOINT"])
    assert find(bundle, "PersistentVolumeClaim", "nasoa-data-cache", SEARCH[mode(overlay)])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pod_security_is_enforced_where_pods_run(built: dict[str, Bundle], overlay: str) -> None:
    """KFP's own namespace is KFP's; our pods there pass the same check."""
    namespaces = [d for d in built[overlay].documents if d["kind"] == "Namespace"]
    for namespace in namespaces:
        labels = namespace["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    names = {namespace["metadata"]["name"] for namespace in namespaces}
    if overlay in SINGLE_USER:
        assert names == {"nasoa-store"}
        names.add("kubeflow")
    assert {pod.namespace for pod in pods(built[overlay]) if pod.namespace} <= names


@pytest.mark.parametrize("overlay", SINGLE_USER)
def test_the_namespace_of_kfp_gets_no_quota(built: dict[str, Bundle], overlay: str) -> None:
    """Nor a policy for all of its pods: both would stop KFP itself."""
    for document in built[overlay].documents:
        if document["metadata"].get("namespace") == "kubeflow":
            assert document["kind"] not in ("ResourceQuota", "LimitRange", "Namespace")
            assert document["kind"] != "NetworkPolicy" or document["spec"]["podSelector"]


@pytest.mark.parametrize("overlay", MULTI_USER)
def test_owner_is_set_in_one_place(built: dict[str, Bundle], overlay: str) -> None:
    """But for tenants, each of whom is somebody."""
    owners = {
        document["spec"]["owner"]["name"]
        for document in built[overlay].documents
        if document["kind"] == "Profile" and document["metadata"]["name"] not in TENANTS
    }
    assert len(owners) == 1


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
    ours = {"nasoa", "nasoa-search"} if overlay in MULTI_USER else set()
    of_tenants = TENANTS if overlay == "multi-user-tenants" else set()
    assert denying == {"nasoa-store", *ours, *of_tenants}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_online_comes_before_offline(built: dict[str, Bundle], overlay: str) -> None:
    """Steps of KFP have no class, so 0: offline work must be below that too."""
    online = find(built[overlay], "PriorityClass", "nasoa-online")
    offline = find(built[overlay], "PriorityClass", "nasoa-offline")
    assert online["value"] > 0 > offline["value"]
    assert offline["preemptionPolicy"] == "Never"


def test_pretraining_runs_in_the_offline_pool(built: dict[str, Bundle]) -> None:
    (pod,) = [
        pod
        for pod in pods(built["single-user-gpu"])
        if pod.where == "TrainJob kubeflow/pretrain-zoo"
    ]
    assert pod.spec["nodeSelector"] == {"nasoa/pool": "offline"}
    assert pod.spec["priorityClassName"] == "nasoa-offline"
    tolerated = {parameter.name: parameter.default for parameter in POOL_PARAMETERS}
    assert pod.spec["tolerations"] == tolerated["gpu_tolerations"]  # as steps of pipelines have it
    (container,) = pod.containers
    assert container["image"].endswith(f":{nasoa.__version__}")


def test_pretraining_calls_a_verb_that_there_is(built: dict[str, Bundle]) -> None:
    trainer = find(built["multi-user-gpu"], "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    assert trainer["command"] == ["python", "-m", "nasoa.training.torchrun", "-m", "nasoa"]
    arguments = build_parser().parse_args(trainer["args"])
    assert callable(arguments.run)
    # /tmp is too small for data from a store, and the default limit for ImageNet.
    (pod,) = [
        pod
        for pod in pods(built["single-user-gpu"])
        if pod.where == "TrainJob kubeflow/pretrain-zoo"
    ]
    (mount,) = [m for c in pod.containers for m in c["volumeMounts"] if m["name"] == "cache"]
    assert arguments.data.startswith(f"shards:{mount['mountPath']}/")
    assert parse_duration(arguments.time_limit) >= 24 * 3600


@pytest.mark.parametrize("overlay", ["single-user-gpu", "multi-user-gpu"])
def test_the_job_and_the_pods_find_the_same_minio(built: dict[str, Bundle], overlay: str) -> None:
    bundle = built[overlay]
    (container,) = find(bundle, "Job", "create-bucket")["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    egress = find(bundle, "NetworkPolicy", "create-bucket")["spec"]["egress"]
    for namespace in {TASKS[mode(overlay)], SEARCH[mode(overlay)]}:
        settings = find(bundle, "ConfigMap", "nasoa-settings", namespace)["data"]
        assert variables["ENDPOINT"] == settings["NASOA_S3_ENDPOINT"]
        assert settings["NASOA_STORE"] == f"s3://{variables['BUCKET']}"
        assert find(bundle, "NetworkPolicy", "allow-store", namespace)["spec"]["egress"] == egress


@pytest.mark.parametrize(
    "overlay", ["single-user-gpu", "single-user-full", "multi-user-gpu", "multi-user-full"]
)
def test_pods_with_our_image_pull_it_with_the_secret(
    built: dict[str, Bundle], overlay: str
) -> None:
    bundle = built[overlay]
    ours = {pod.spec["serviceAccountName"] for pod in pods(bundle) if pulls_ours(pod)}
    for document in bundle.documents:
        name = document["metadata"]["name"]
        if document["kind"] == "ServiceAccount" and name in {*ours, "nasoa-pipeline"}:
            assert document["imagePullSecrets"] == [{"name": "nasoa-registry"}], name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_store_s_keys_have_names_of_their_own(built: dict[str, Bundle], overlay: str) -> None:
    """AWS_* in a container of a run would be taken by KFP's launcher; SeaweedFS reads these."""
    for pod in pods(built[overlay]):
        for container in pod.containers:
            names = {variable["name"] for variable in container.get("env", ())}
            if container["name"] == "seaweedfs":
                continue
            assert not [name for name in names if name.startswith("AWS_")], pod.where
            if "NASOA_S3_ENDPOINT" in names:
                assert {"NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY"} <= names


def pulls_ours(pod: Pod) -> bool:
    return any("nasoa" in container["image"].split("/")[-1] for container in pod.containers)


def test_only_the_bucket_job_reaches_what_asks_for_no_keys(built: dict[str, Bundle]) -> None:
    """SeaweedFS's master and filer let anyone in, on HTTP and on gRPC."""
    policy = find(built["single-user"], "NetworkPolicy", "seaweedfs")
    open_ports = {8888, 9333, 18888, 19333}
    for rule in policy["spec"]["ingress"]:
        ports = {port["port"] for port in rule["ports"]}
        if ports & open_ports:
            assert rule["from"] == [
                {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "create-bucket"}}}
            ]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_argo_cd_and_flux_make_jobs_anew(built: dict[str, Bundle], overlay: str) -> None:
    """A job cannot be changed, and is removed after its end, which they would take for a drift."""
    jobs = [document for document in built[overlay].documents if document["kind"] == "Job"]
    assert "create-bucket" in {job["metadata"]["name"] for job in jobs}
    for job in jobs:
        assert job["metadata"].get("annotations") == {
            "argocd.argoproj.io/hook": "Sync",
            "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
            "kustomize.toolkit.fluxcd.io/force": "enabled",
        }, job["metadata"]["name"]


@pytest.mark.parametrize("script", sorted(MANIFESTS.glob("components/*/*.sh")), ids=str)
def test_scripts_are_plain_shell(script: Path) -> None:
    import subprocess

    checked = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
