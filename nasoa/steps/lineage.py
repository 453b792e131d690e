"""Which objects of the store a step of a pipeline used and made, as artifacts of KFP.

Nothing is copied: an artifact's URI tells where the object is. KFP's launcher uploads what has a
URI of a scheme that it knows (`s3://`), and fails where that is not in its own bucket; a URI of
another scheme it records as it is (docs/decisions/0052-*.md). So `s3://bucket/key` is told as
`nasoa+s3://bucket/key`, and as `location`, for use with nasoa, among the metadata.
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
    """What is used of an output artifact of KFP."""

    path: str
    uri: str
    metadata: dict[str, Any]


def point_at(artifact: Artifact, location: str, **metadata: Any) -> None:
    """Make an artifact stand for an object, or a folder of objects.

    Args:
        artifact: its `path` is not to be written any more.
        location: a path of this machine, or `s3://bucket/key`.
        metadata: plain values; those that are None are left out, since KFP fails on them.
    """
    artifact.uri = f"{SCHEME}{location}" if "://" in location else location
    told = {"location": location, **metadata}
    artifact.metadata.update({name: value for name, value in told.items() if value is not None})


def show_model(artifact: Artifact, experience: Experience) -> None:
    """A fine-tuned model: where it is, how good it is, and how it was made."""
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
    """The version of the predictor that chose a regime."""
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
    """The version of the predictor that has learned a task."""
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
    if not version:  # none of the store's: the package's own, or one that has learned nothing
        artifact.metadata.update({**described, "comes_with": f"nasoa {nasoa.__version__}"})
        return
    key = keys.predictor(method.predictor_name, version, "safetensors")
    point_at(artifact, location_of(store, key), **described)


def show_zoo_used(artifact: Artifact, store: ArtifactStore, num_models: int) -> None:
    """The zoos of the store that models were chosen from, beside the package's."""
    versions = {version.zoo: version.number for version in newest_versions(store)}
    described = {"num_models": num_models, "comes_with": f"nasoa {nasoa.__version__}"}
    if not versions:
        artifact.metadata.update(described)
        return
    point_at(artifact, location_of(store, keys.ZOOS), **described, versions=versions)


def show_zoo_made(
    zoo: Artifact, model: Artifact, store: ArtifactStore, name: str, entry: ZooEntry
) -> None:
    """The newest version of the zoo `name`, which a pretrained model is in, and the model."""
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
    """`s3://bucket/key`, or the path of a file."""
    if isinstance(store, LocalStore):
        return str(Path(store.uri).resolve() / key)
    return f"{store.uri}/{key}"
