"""The pod that KFP makes of a step has what is compiled in and what parameters say."""

from __future__ import annotations

from nasoa.pipelines.demands import demands
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.step_pods import claim_name, document, executor_pod


def test_a_pod_of_ours_has_all_that_is_compiled_in() -> None:
    options = CompileOptions(data_claim="claim", queue="searches", shared_memory="2Gi")
    found = {d.step: d for d in demands("build_zoo", {"gpu_count": "4"}, options)}
    step = found["pretrain-zoo"]
    (main,) = (c for c in step.pod["containers"] if c["name"] == "main")
    assert main["resources"] == {
        "requests": {"cpu": "8", "memory": "32Gi"},
        "limits": {"nvidia.com/gpu": "4", "cpu": "16", "memory": "64Gi"},
    }
    mounts = {mount["mountPath"]: mount["name"] for mount in main["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in step.pod["volumes"]}
    assert set(mounts) == {"/dev/shm", "/tmp", "/cache"}
    assert volumes[mounts["/dev/shm"]]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert volumes[mounts["/cache"]]["persistentVolumeClaim"] == {"claimName": "claim"}
    assert step.metadata["labels"] == {"kueue.x-k8s.io/queue-name": "searches"}
    assert step.claims == ("claim",)


def test_the_labels_of_kfp_are_beside_ours() -> None:
    made = document({"containers": []}, {"labels": {"team": "vision"}}, "nasoa-pipeline")
    labels = made["metadata"]["labels"]
    assert (labels["team"], labels["sidecar.istio.io/inject"]) == ("vision", "false")
    assert made["spec"] == {"containers": [], "serviceAccountName": "nasoa-pipeline"}


def test_a_claim_is_read_where_kfp_does_not_call_it_deprecated() -> None:
    """Kfp 2.17 also writes `constant`, which may go."""
    mount = {
        "mountPath": "/cache",
        "pvcNameParameter": {"runtimeValue": {"constant": "nasoa-data-cache"}},
    }
    assert claim_name(mount) == "nasoa-data-cache"
    assert claim_name({"mountPath": "/cache", "constant": "nasoa-data-cache"}) == ""
    pod = executor_pod({"image": "nasoa:1"}, {"pvcMount": [mount]}, {})
    assert {
        "name": "nasoa-data-cache",
        "persistentVolumeClaim": {"claimName": "nasoa-data-cache"},
    } in pod["volumes"]
