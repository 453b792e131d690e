"""Artifacts that point at objects of the store, as KFP 2.17's launcher handles them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from nasoa.records import Recommendation, TaskResult, ZooEntry
from nasoa.steps import lineage
from nasoa.steps.methods import DEFAULT
from nasoa.store import ArtifactStore, open_store
from nasoa.zoo.entries import packaged_zoo

# Bucket and prefix of a run's artifacts in the launcher; a bucket other than the store's.
PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts/run/"
# K backend/src/v2/component/launcher_v2.go of kubeflow/pipelines 2.17.0, LocalPathForURI.
KNOWN_SCHEMES = ("gs://", "minio://", "s3://", "oci://")


@dataclass
class Output:
    path: str = ""
    uri: str = f"{PIPELINE_ROOT}model"
    metadata: dict[str, Any] = field(default_factory=dict)


def launch(artifact: Output) -> str:
    """Return what the launcher does with an artifact: "uploaded" or "recorded"; raise if it fails.

    The same file, uploadOutputArtifacts; objectstore/config.go, KeyFromURI; metadata/converter.go,
    StructValueToMLMDValue, which rejects null; protojson, which rejects NaN.
    """
    for value in json.loads(json.dumps(artifact.metadata, allow_nan=False)).values():
        assert value is not None
    if not artifact.uri.startswith(KNOWN_SCHEMES) or artifact.uri.startswith("oci://"):
        return "recorded"
    if not artifact.uri.startswith(PIPELINE_ROOT):
        raise ValueError(f"URI {artifact.uri!r} does not have expected bucket prefix")
    return "uploaded"


class Bucket:
    """A fake S3 store with a URI and a listing; every document is an empty list."""

    uri = "s3://nasoa/store"

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def list(self, prefix: str) -> list[str]:
        return [key for key in self.keys if key.startswith(prefix)]

    def get(self, key: str) -> bytes:
        assert key in self.keys
        return b"[]"


def bucket(*keys: str) -> ArtifactStore:
    return Bucket(*keys)  # type: ignore[return-value]


def recommendation(version: int) -> Recommendation:
    return Recommendation(
        candidates=(), predictor_version=version, num_experiences=3, note="", used_s=0, reserve_s=0
    )


def test_the_launcher_refuses_the_store_s_own_uri() -> None:
    """This is why artifacts use another scheme."""
    artifact = Output(uri="s3://nasoa/model/t")
    with pytest.raises(ValueError, match="expected bucket prefix"):
        launch(artifact)
    lineage.point_at(artifact, "s3://nasoa/model/t")
    assert launch(artifact) == "recorded"


def test_what_is_none_is_left_out() -> None:
    artifact = Output()
    lineage.point_at(artifact, "s3://b/k", accuracy=None, version=3)
    assert artifact.metadata == {"location": "s3://b/k", "version": 3}


def test_the_predictor_that_chose_is_told_by_its_version() -> None:
    artifact = Output()
    lineage.show_predictor_used(artifact, bucket(), DEFAULT, recommendation(12))
    assert launch(artifact) == "recorded"
    name = DEFAULT.predictor_name
    location = f"s3://nasoa/store/predictor/{name}/v000012.safetensors"
    assert (artifact.uri, artifact.metadata["location"]) == (f"nasoa+{location}", location)
    assert artifact.metadata["version"] == 12
    assert artifact.metadata["num_experiences"] == 3


def test_one_that_is_not_in_the_store_points_at_nothing() -> None:
    artifact = Output()
    lineage.show_predictor_used(artifact, bucket(), DEFAULT, recommendation(0))
    assert artifact.uri == f"{PIPELINE_ROOT}model"
    assert artifact.metadata["comes_with"].startswith("nasoa ")
    assert "location" not in artifact.metadata
    assert launch(artifact) == "uploaded"


def test_the_predictor_that_has_learned(task_result: TaskResult) -> None:
    artifact = Output()
    lineage.show_predictor_made(artifact, bucket(), DEFAULT, task_result)
    assert artifact.uri.endswith(f"v{task_result.predictor_version_after:06d}.safetensors")
    assert artifact.metadata["version_that_chose"] == task_result.predictor_version_before
    assert artifact.metadata["accuracy"] == task_result.accuracy
    assert launch(artifact) == "recorded"


@pytest.fixture
def task_result() -> TaskResult:
    from nasoa.records import Regime

    regime = Regime(
        model="m", lr=0.1, frozen_stages=2, iterations=3, batch_size=4, resolution=32,
        lr_schedule="cosine",
    )  # fmt: skip
    return TaskResult(
        task_id="t", dataset="d", model="m", regime=regime, predicted_accuracy=0.5, accuracy=0.6,
        head_val_accuracy=0.4, val_accuracy=0.5, elapsed_s=1.0, time_limit_s=2.0, ended="deadline",
        predictor_version_before=4, predictor_version_after=5, model_dir="s3://nasoa/store/model/t",
    )  # fmt: skip


def test_the_zoos_that_models_came_from() -> None:
    store = bucket("zoo/a/v0001/zoo.json", "zoo/a/v0002/zoo.json", "zoo/b/v0007/zoo.json")
    artifact = Output()
    lineage.show_zoo_used(artifact, store, 20)
    assert artifact.uri == "nasoa+s3://nasoa/store/zoo/"
    assert artifact.metadata["versions"] == {"a": 2, "b": 7}
    assert launch(artifact) == "recorded"
    empty = Output()
    lineage.show_zoo_used(empty, bucket(), 12)
    assert (empty.uri, empty.metadata["num_models"]) == (f"{PIPELINE_ROOT}model", 12)


def test_the_zoo_that_a_model_was_put_into() -> None:
    packaged: ZooEntry = next(iter(packaged_zoo().entries.values()))
    entry = replace(packaged, weights_sha256="ab12")
    zoo, model = Output(), Output()
    store = bucket("zoo/z/v0001/zoo.json", "zoo/z/v0003/zoo.json", "zoo/y/v0009/zoo.json")
    lineage.show_zoo_made(zoo, model, store, "z", entry)
    assert zoo.uri == "nasoa+s3://nasoa/store/zoo/z/v0003/zoo.json"
    assert model.uri == "nasoa+s3://nasoa/store/zoo/weights/ab12.safetensors"
    assert (zoo.metadata["version"], model.metadata["version"]) == (3, 3)
    assert model.metadata["accuracy"] == entry.source_accuracy


def test_in_a_folder_it_is_a_path(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.put("zoo/z/v0001/zoo.json", b"[]")
    artifact = dsl.Dataset(uri="/elsewhere")
    lineage.show_zoo_used(artifact, store, 1)
    assert Path(artifact.path) == tmp_path / "zoo"
    assert artifact.path == artifact.uri
