"""Record which objects of the store a pipeline step used and made, as KFP artifacts.

Nothing is copied: an artifact's URI gives the location of the object. KFP's launcher uploads
artifacts whose URI has a scheme that it knows (`s3://`), and fails if that is not in its own
bucket; a URI of another scheme is recorded unchanged (docs/decisions/0052-*.md). So the URI of
`s3://bucket/key` is `nasoa+s3://bucket/key`; the metadata hold the unchanged `location`, for use
with nasoa.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import nasoa
from nasoa.records import Experience, Recommendation, TaskResult, ZooEntry
from nasoa.steps.methods import Method
from nasoa.store import ArtifactStore, keys
from nasoa.store.local import LocalStore
from nasoa.store.zoo_versions import newest_versions

SCHEME = "nasoa+"


class Artifact(Protocol):
    """The attributes of a KFP output artifact that are used here."""

    path: str
    uri: str
    metadata: dict[str, Any]


def point_at(artifact: Artifact, location: str, **metadata: Any) -> None:
    """Make an artifact point at an object or a folder of objects.

    Args:
        artifact: the artifact; nothing may be written to its `path` afterwards.
        location: path on this machine, or `s3://bucket/key`.
        metadata: plain values; None is left out, because KFP fails on it.
    """
    artifact.uri = f"{SCHEME}{location}" if "://" in location else location
    told = {"location": location, **metadata}
    artifact.metadata.update({name: value for name, value in told.items() if value is not None})


def show_model(artifact: Artifact, experience: Experience) -> None:
    """Describe a fine-tuned model: its location, its accuracy and its regime."""
    location = experience.model_dir
    point_at(
        artifact,
        location if "://" in location else str(Path(location).resolve()),
        model_dir=experience.model_dir,
        backbone=experience.model.name,
        dataset=experience.task.dataset,
        classes=len(experience.task.class_names),
        accuracy=experience.accuracy,
        predictor_version=experience.predictor_version,
        **{f"regime_{name}": value for name, value in asdict(experience.regime).items()},
    )


def show_predictor_used(
    artifact: Artifact, store: ArtifactStore, method: Method, recommendation: Recommendation
) -> None:
    """Point at the version of the predictor that chose a regime."""
    _point_at_version(
        artifact,
        store,
        method,
        recommendation.predictor_version,
        num_experiences=recommendation.num_experiences,
    )


def show_predictor_made(
    artifact: Artifact, store: ArtifactStore, method: Method, result: TaskResult
) -> None:
    """Point at the version of the predictor that has learned a task."""
    _point_at_version(
        artifact,
        store,
        method,
        result.predictor_version_after,
        task_id=result.task_id,
        predicted_accuracy=result.predicted_accuracy,
        accuracy=result.accuracy,
        version_that_chose=result.predictor_version_before,
    )


def _point_at_version(
    artifact: Artifact, store: ArtifactStore, method: Method, version: int, **metadata: Any
) -> None:
    described = {"predictor": method.predictor_name, "version": version, **metadata}
    if not version:  # not in the store: the packaged predictor, or one that has learned nothing
        artifact.metadata.update({**described, "comes_with": f"nasoa {nasoa.__version__}"})
        return
    key = keys.predictor(method.predictor_name, version, "safetensors")
    point_at(artifact, location_of(store, key), **described)


def show_zoo_used(artifact: Artifact, store: ArtifactStore, num_models: int) -> None:
    """Point at the zoos of the store, from which models were chosen besides the packaged one."""
    versions = {version.zoo: version.number for version in newest_versions(store)}
    described = {"num_models": num_models, "comes_with": f"nasoa {nasoa.__version__}"}
    if not versions:
        artifact.metadata.update(described)
        return
    point_at(artifact, location_of(store, keys.ZOOS), **described, versions=versions)


def show_zoo_made(
    zoo: Artifact, model: Artifact, store: ArtifactStore, name: str, entry: ZooEntry
) -> None:
    """Point at a pretrained model, and at the newest version of its zoo, `name`."""
    version = next(found.number for found in newest_versions(store) if found.zoo == name)
    point_at(zoo, location_of(store, keys.zoo(name, version)), zoo=name, version=version)
    point_at(
        model,
        location_of(store, keys.weights(entry.weights_sha256)),
        model=entry.name,
        encoding=entry.encoding,
        zoo=name,
        version=version,
        source=entry.source,
        accuracy=entry.source_accuracy,
    )


def location_of(store: ArtifactStore, key: str) -> str:
    """Return `s3://bucket/key`, or the path of a file."""
    if isinstance(store, LocalStore):
        return str(Path(store.uri).resolve() / key)
    return f"{store.uri}/{key}"
