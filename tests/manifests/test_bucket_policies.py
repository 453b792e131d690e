"""The bucket job on a real server: each identity may do what its policies say, and no more."""

from __future__ import annotations

import io
import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from minio import Minio
from minio.error import S3Error

from nasoa.errors import StoreUnavailable
from nasoa.pipelines.catalogue import PIPELINES
from nasoa.records import to_json
from nasoa.steps import online
from nasoa.store import ArtifactStore, keys, open_store
from scripts.manifests.bundle import Bundle
from scripts.store_secrets import new_keys
from tests.manifests.cluster_store import BUCKET, ClusterStore, find

STORE = f"s3://{BUCKET}"
# What is kept under them: by nasoa.store.keys, by users (data), and by whoever runs searches.
STORE_PREFIXES = {
    keys.EXPERIENCES,
    keys.TASKS,
    keys.checkpoint("t", 1).split("/")[0] + "/",
    keys.model("t").split("/")[0] + "/",
    keys.predictors("p").split("/")[0] + "/",
    keys.step_times("h").split("/")[0] + "/",
    keys.zoos("z").split("/")[0] + "/",
}
OTHER_PREFIXES = {"data/", "doctor/", "search/", "source/"}
PREFIXES = sorted(STORE_PREFIXES | OTHER_PREFIXES)
OF_USERS = {"checkpoint/", "data/", "experience/", "model/", "task/"}
ACTIONS = {"read": "s3:GetObject", "write": "s3:PutObject", "delete": "s3:DeleteObject"}


@pytest.fixture
def policies(built: dict[str, Bundle]) -> dict[str, str]:
    """The files of the ConfigMap."""
    data: dict[str, str] = find(built["local"], "ConfigMap", "nasoa-bucket-policies")["data"]
    return data


@pytest.fixture
def as_identity(
    cluster_store: ClusterStore, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ArtifactStore]:
    """The store as an identity sees it."""

    def opened(identity: str) -> ArtifactStore:
        for name, value in cluster_store.environment(identity).items():
            monkeypatch.setenv(name, value)
        return open_store(STORE)

    return opened


@pytest.fixture
def emptied(as_identity: Callable[[str], ArtifactStore]) -> Iterator[None]:
    """Nothing is left behind."""
    yield
    admin = as_identity("admin")
    for key in admin.list():
        admin.delete(key)


@pytest.fixture
def filled(emptied: None, as_identity: Callable[[str], ArtifactStore]) -> None:
    """An object under every prefix."""
    admin = as_identity("admin")
    for prefix in PREFIXES:
        admin.put(f"{prefix}canary", b"1")


def identities(policies: dict[str, str]) -> dict[str, list[str]]:
    """Each identity's policies."""
    rows = (line.split() for line in policies["identities"].splitlines())
    return {name: attached for name, *attached in rows}


def allowed(policies: dict[str, str], identity: str) -> set[tuple[str, str]]:
    """What the policies' text says: (read, write or delete, prefix)."""
    found = set()
    for name in identities(policies)[identity]:
        for statement in json.loads(policies[f"{name}.json"])["Statement"]:
            assert statement["Effect"] == "Allow"
            for resource in statement["Resource"]:
                prefix = resource.removeprefix(f"arn:aws:s3:::{BUCKET}").strip("/*") + "/"
                found |= {(a, prefix) for a in ACTIONS if ACTIONS[a] in statement["Action"]}
    return found


def observed(store: ArtifactStore) -> set[tuple[str, str]]:
    """What the server lets this identity do."""
    found = set()
    for prefix in PREFIXES:
        attempts: dict[str, Callable[[], object]] = {
            "read": lambda prefix=prefix: store.get(f"{prefix}canary"),  # type: ignore[misc]
            "write": lambda prefix=prefix: store.put(f"{prefix}new", b"2"),  # type: ignore[misc]
            "delete": lambda prefix=prefix: store.delete(f"{prefix}canary"),  # type: ignore[misc]
        }
        for action, attempt in attempts.items():
            try:
                attempt()
            except StoreUnavailable as error:
                assert "refuses these credentials" in str(error)
            else:
                found.add((action, prefix))
    return found


def test_the_server_does_what_the_policies_say(
    filled: None, policies: dict[str, str], as_identity: Callable[[str], ArtifactStore]
) -> None:
    for identity in identities(policies):
        assert observed(as_identity(identity)) == allowed(policies, identity), identity
        admin = as_identity("admin")
        for prefix in PREFIXES:
            admin.put(f"{prefix}canary", b"1")


@pytest.mark.parametrize("identity", ["nasoa-s3", "nasoa-s3-finetune"])
def test_finetune_cannot_change_the_zoo(
    filled: None, as_identity: Callable[[str], ArtifactStore], identity: str
) -> None:
    store = as_identity(identity)
    assert store.get("zoo/canary") == b"1"
    for attempt in (
        lambda: store.put("zoo/canary", b"2"),
        lambda: store.put_if_absent("zoo/imported/v0001/zoo.json", b"2"),
        lambda: store.delete("zoo/canary"),
    ):
        with pytest.raises(StoreUnavailable, match="refuses these credentials"):
            attempt()
    assert as_identity("admin").get("zoo/canary") == b"1"
    assert as_identity("admin").list("zoo/") == ["zoo/canary"]


@pytest.mark.parametrize("prefix", sorted(OF_USERS))
def test_evaluate_arch_cannot_read_users_data(
    filled: None, as_identity: Callable[[str], ArtifactStore], prefix: str
) -> None:
    store = as_identity("nasoa-s3-evaluate-arch")
    with pytest.raises(StoreUnavailable, match="refuses these credentials"):
        store.get(f"{prefix}canary")
    assert store.get("source/canary") == b"1"
    assert store.put_if_absent("search/s1/evaluations/a.json", b"{}")


def test_nobody_comes_in_without_keys(filled: None, cluster_store: ClusterStore) -> None:
    host = cluster_store.endpoint.removeprefix("http://")
    with pytest.raises(S3Error, match="AccessDenied"):
        Minio(host, secure=False, region="us-east-1").get_object(BUCKET, "data/canary")
    wrong = Minio(host, "nobody", "nobody-at-all", secure=False, region="us-east-1")
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        wrong.get_object(BUCKET, "data/canary")


def test_a_large_model_is_written_in_parts(
    emptied: None, as_identity: Callable[[str], ArtifactStore]
) -> None:
    data = bytes(6_000_000)
    store = as_identity("nasoa-s3-finetune")
    store.put("model/t/model.safetensors", data)
    assert store.get("model/t/model.safetensors") == data


@pytest.fixture
def one_core() -> Iterator[None]:
    """One thread for torch: on a busy machine, two wait for each other most of the time."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def test_the_rights_are_enough_for_a_task(
    emptied: None, one_core: None, as_identity: Callable[[str], ArtifactStore], digits: bytes
) -> None:
    """The four steps of `finetune_task`, each as its own identity."""
    as_identity("admin").put("data/digits.npz", digits)
    as_identity("nasoa-s3-compute-meta-features")
    task = online.compute_meta_features(f"{STORE}/data/digits.npz", "1s", STORE, clock="steps")
    as_identity("nasoa-s3-predict-regime")
    recommendation = online.predict_regime(task, STORE)
    as_identity("nasoa-s3-finetune")
    experience = online.finetune(task, recommendation, STORE)
    as_identity("nasoa-s3-update-predictor")
    result = online.learn_from(task.task_id, STORE)
    assert result.predictor_version_after == 1
    admin = as_identity("admin")
    assert admin.get(keys.experience(task.task_id)) == to_json(experience)
    written = {key.split("/")[0] for key in admin.list()}
    assert written == {"data", "experience", "model", "predictor", "task"}


@pytest.fixture
def digits() -> bytes:
    """80 digits of four classes as an .npz."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    chosen = np.concatenate([np.flatnonzero(labels == label)[:20] for label in range(4)])
    file = io.BytesIO()
    np.savez(file, x=(images[chosen] * 15).astype(np.uint8).reshape(-1, 8, 8), y=labels[chosen])
    return file.getvalue()


def test_the_job_may_run_again(
    emptied: None,
    policies: dict[str, str],
    cluster_store: ClusterStore,
    as_identity: Callable[[str], ArtifactStore],
) -> None:
    """Changed keys come in, withdrawn policies go, and no output shows a secret."""
    cluster_store.keys["nasoa-s3-finetune"] = new_keys()
    listed = cluster_store.folder / "policies" / "identities"
    listed.write_text(policies["identities"].replace("finetune doctor finetune", "finetune doctor"))
    again = cluster_store.create_bucket()
    assert again.returncode == 0, again.stderr
    changed = as_identity("nasoa-s3-finetune")
    changed.put("doctor/a", b"1")
    with pytest.raises(StoreUnavailable, match="refuses these credentials"):
        changed.put("model/t/a", b"1")
    listed.write_text(policies["identities"])
    assert cluster_store.create_bucket().returncode == 0
    as_identity("nasoa-s3-finetune").put("model/t/a", b"1")
    secrets = [pair["AWS_SECRET_ACCESS_KEY"] for pair in cluster_store.keys.values()]
    assert not [secret for secret in secrets if secret in again.stdout + again.stderr]


def test_the_job_fails_where_a_policy_is_missing(
    policies: dict[str, str], cluster_store: ClusterStore
) -> None:
    listed = cluster_store.folder / "policies" / "identities"
    listed.write_text(policies["identities"] + "nasoa-s3-finetune doctor no-such-policy\n")
    try:
        failed = cluster_store.create_bucket()
        assert failed.returncode != 0
        assert "no-such-policy" in failed.stderr
    finally:
        listed.write_text(policies["identities"])
        assert cluster_store.create_bucket().returncode == 0


def test_metrics_are_exposed_where_they_are_scraped(cluster_store: ClusterStore) -> None:
    url = f"http://127.0.0.1:{cluster_store.ports['metricsPort']}/metrics"
    with urllib.request.urlopen(url, timeout=5) as response:
        assert b"# TYPE SeaweedFS_" in response.read()


def test_every_prefix_is_one_that_is_used(policies: dict[str, str]) -> None:
    named = {
        prefix for identity in identities(policies) for _, prefix in allowed(policies, identity)
    }
    assert named == set(PREFIXES)


def test_every_component_has_an_identity(policies: dict[str, str]) -> None:
    """Of each component, but those that only help one along, and the one that pods share."""
    components = Path(__file__).resolve().parents[2] / "components"
    helping = {"show_search", "collect_experience", "tabulate_experience", "record_failure"}
    stems = {path.stem for path in components.glob("*.py")} - {"__init__", "image"} - helping
    identified = {name.removeprefix("nasoa-s3-") for name in identities(policies)}
    assert {stem.replace("_", "-") for stem in stems} <= identified
    shared = (
        PIPELINES["finetune_task"].pipeline_spec.components["comp-finetune-task-steps"].dag.tasks
    )
    assert set(identities(policies)["nasoa-s3"]) == {"doctor", *shared}
