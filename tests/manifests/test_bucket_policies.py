"""The bucket job on a real server: each identity may do what its policies say, and no more."""

from __future__ import annotations

import inspect
import json
import urllib.request
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import pytest
import yaml
from minio import Minio
from minio.error import S3Error

from nasoa.errors import StoreUnavailable
from nasoa.pipelines.publishing import compiled
from nasoa.store import ArtifactStore, keys
from scripts.manifests.bundle import MANIFESTS
from scripts.store_secrets import SECRET_KEY, new_keys
from tests.docs.printed import difference, told
from tests.manifests.cluster_store import BUCKET, ClusterStore

GUIDE = (MANIFESTS.parent / "docs" / "cluster.md").read_text(encoding="utf-8")


def key_of(function: Callable[..., str]) -> str:
    """A key of the store's layout; every part of it is a text or a number."""
    kinds = inspect.get_annotations(function, eval_str=True)
    kinds.pop("return")
    return function(**{name: "x" if kind is str else 1 for name, kind in kinds.items()})


# The store's own layout, whole, and what users, the doctor, runs that failed and searches keep.
LAYOUT = {
    value if isinstance(value, str) else key_of(value)
    for name, value in vars(keys).items()
    if not name.startswith("_")
    and (isinstance(value, str) or getattr(value, "__module__", "") == keys.__name__)
}
PREFIXES = sorted(
    {f"{key.split('/')[0]}/" for key in LAYOUT} | {"data/", "doctor/", "failure/", "source/"}
)
# Within a search, only checkpoints and claims go away, and of a task only claims.
FOLDERS = sorted({*PREFIXES, "search/x/checkpoints/", "search/x/claims/x/", "task/x/claim/"})
OF_USERS = {"checkpoint/", "data/", "experience/", "model/", "task/"}
ACTIONS = {"read": "s3:GetObject", "write": "s3:PutObject", "delete": "s3:DeleteObject"}


@pytest.fixture
def filled(emptied: None, as_identity: Callable[[str], ArtifactStore]) -> None:
    """An object in every folder."""
    admin = as_identity("admin")
    for folder in FOLDERS:
        admin.put(f"{folder}canary", b"1")


def identities(policies: dict[str, str]) -> dict[str, list[str]]:
    """Each identity's policies."""
    rows = (line.split() for line in policies["identities"].splitlines())
    return {name: attached for name, *attached in rows}


def statements(policies: dict[str, str], identity: str) -> Iterator[tuple[str, str]]:
    """The identity's policies, one by one: (read, write or delete, pattern of keys)."""
    for name in identities(policies)[identity]:
        for statement in json.loads(policies[f"{name}.json"])["Statement"]:
            assert statement["Effect"] == "Allow"
            for resource in statement["Resource"]:
                pattern = resource.removeprefix(f"arn:aws:s3:::{BUCKET}").removeprefix("/")
                for action, right in ACTIONS.items():
                    if right in statement["Action"]:
                        yield action, pattern


def allowed(policies: dict[str, str], identity: str) -> set[tuple[str, str]]:
    """What the policies' text says: (read, write or delete, folder)."""
    return {
        (action, folder)
        for action, pattern in statements(policies, identity)
        for folder in FOLDERS
        if fnmatchcase(f"{folder}canary", pattern)
    }


def observed(store: ArtifactStore) -> set[tuple[str, str]]:
    """What the server lets this identity do."""
    found = set()
    for folder in FOLDERS:
        attempts: dict[str, Callable[[], object]] = {
            "read": lambda folder=folder: store.get(f"{folder}canary"),  # type: ignore[misc]
            "write": lambda folder=folder: store.put(f"{folder}new", b"2"),  # type: ignore[misc]
            "delete": lambda folder=folder: store.delete(f"{folder}canary"),  # type: ignore[misc]
        }
        for action, attempt in attempts.items():
            try:
                attempt()
            except StoreUnavailable as error:
                assert "refuses these credentials" in str(error)
            else:
                found.add((action, folder))
    return found


def test_the_server_does_what_the_policies_say(
    filled: None, policies: dict[str, str], as_identity: Callable[[str], ArtifactStore]
) -> None:
    for identity in identities(policies):
        assert observed(as_identity(identity)) == allowed(policies, identity), identity
        admin = as_identity("admin")
        for folder in FOLDERS:
            admin.put(f"{folder}canary", b"1")


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


def test_people_put_data_into_the_bucket_without_the_administrator(
    filled: None, as_identity: Callable[[str], ArtifactStore]
) -> None:
    """In parts where it is large; nobody else but the administrator may."""
    data = bytes(6_000_000)
    store = as_identity("nasoa-s3-upload")
    for prefix in ("data/", "source/"):
        store.put(f"{prefix}flowers/a.npz", data)
        assert set(store.list(prefix)) == {f"{prefix}canary", f"{prefix}flowers/a.npz"}
    for refused in (
        lambda: store.put("model/t/a", b"1"),
        lambda: store.delete("data/canary"),
        lambda: store.get("model/canary"),
    ):
        with pytest.raises(StoreUnavailable, match="refuses these credentials"):
            refused()
    assert as_identity("nasoa-s3").get("data/flowers/a.npz") == data


def test_only_the_identity_for_it_may_write_data(policies: dict[str, str]) -> None:
    writing = {
        identity
        for identity in identities(policies)
        for action, folder in allowed(policies, identity)
        if action in ("write", "delete") and folder in ("data/", "source/")
    }
    assert writing == {"nasoa-s3-upload"}


def test_whoever_serves_models_reads_nothing_else(policies: dict[str, str]) -> None:
    assert allowed(policies, "nasoa-s3-serve") == {("read", "model/")}


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
    assert (
        difference(told(GUIDE, "kubectl -n nasoa-store logs job/create-bucket"), again.stdout) == ""
    )
    secrets = [pair[SECRET_KEY] for pair in cluster_store.keys.values()]
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


def test_every_prefix_of_the_layout_is_somebodys(policies: dict[str, str]) -> None:
    named = {
        f"{pattern.split('/')[0]}/"
        for identity in identities(policies)
        for _, pattern in statements(policies, identity)
    }
    assert named == set(PREFIXES)


def test_the_shared_identity_has_the_rights_of_its_pipeline(policies: dict[str, str]) -> None:
    """Of each component of `finetune_task`, and of the one that records how it failed."""
    with compiled("finetune-task") as package:
        steps = next(yaml.safe_load_all(package.read_text(encoding="utf-8")))["components"]
    used = {name.removeprefix("comp-") for name, step in steps.items() if "executorLabel" in step}
    granted = set(identities(policies)["nasoa-s3"])
    assert granted - used <= {"doctor", "record-failure"}
    assert used <= granted
