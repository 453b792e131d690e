"""Upload a pipeline of the catalogue as a version to Kubeflow Pipelines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import nasoa
from nasoa.errors import ClusterRefused
from nasoa.pipelines import catalogue
from nasoa.pipelines.client import Cluster, identified, named
from nasoa.pipelines.options import CompileOptions
from nasoa.scratch import ScratchFolder


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a pipeline at KFP.

    Args:
        pipeline: name of the pipeline at KFP.
        pipeline_id, version_id: KFP's ids.
        version: name of the version.
        created: whether it was created by this call; False if it existed already.
        url: page of the version in the user interface.
    """

    pipeline: str
    pipeline_id: str
    version: str
    version_id: str
    created: bool
    url: str


@contextmanager
def compiled(name: str, options: CompileOptions | None = None) -> Iterator[Path]:
    """Compile a pipeline of the catalogue to a temporary YAML file, removed with the context.

    Args:
        name: name of the pipeline.
        options: compile options; by default those of the environment.
    """
    with ScratchFolder() as folder:
        yield catalogue.compile_to(name, folder, options)


def version_name(package: Path) -> str:
    """Return the library's version and a hash of what was compiled.

    The bytes of the YAML vary from one compilation to the next, so the parsed documents are hashed:
    the same pipeline gets the same name, and is uploaded once.
    """
    documents = list(yaml.safe_load_all(package.read_text(encoding="utf-8")))
    canonical = json.dumps(documents, sort_keys=True, default=str)
    return f"{nasoa.__version__}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def upload(cluster: Cluster, name: str, version: str | None = None) -> Version:
    """Create a version of a pipeline, and the pipeline itself if it does not exist.

    Args:
        cluster: cluster to upload to.
        name: name of the pipeline in the catalogue.
        version: name of the version; the default contains a hash of the content, so that the same
            content is not uploaded twice.

    Raises:
        ClusterRefused: a version of this name exists with different content.
    """
    with compiled(name) as package:
        content = version_name(package)
        pipeline = _Pipeline(cluster, catalogue.find(name), package)
        return pipeline.version(version or content, content)


class _Pipeline:
    """A compiled pipeline, and its counterpart at KFP."""

    def __init__(self, cluster: Cluster, pipeline: Any, package: Path) -> None:
        self._cluster = cluster
        self._package = package
        self._name: str = pipeline.pipeline_spec.pipeline_info.name
        self._description: str = pipeline.description or ""

    def version(self, name: str, content: str) -> Version:
        """Return the version of that name, created if needed; its description names the content."""
        pipeline_id = self._find()
        if pipeline_id is None:
            # KFP creates a first version with it, under the pipeline's name; ours is another one.
            pipeline_id = self._make()
        found = self._find_version(pipeline_id, name)
        created = found is None
        if found is None:
            found = self._make_version(pipeline_id, name, content)
        elif name != content and content not in (found.description or ""):
            raise ClusterRefused(
                f"the version {name!r} of {self._name} at {self._cluster.host} has different "
                "content; leave out --as, or give a new name"
            )
        return Version(
            pipeline=self._name,
            pipeline_id=pipeline_id,
            version=name,
            version_id=found.pipeline_version_id,
            created=created,
            url=f"{self._cluster.host}/#/pipelines/details/{pipeline_id}/version/"
            f"{found.pipeline_version_id}",
        )

    def _find(self) -> str | None:
        cluster = self._cluster
        listed = cluster.all(
            cluster.sdk.list_pipelines,
            "pipelines",
            namespace=cluster.namespace or None,
            filter=named(self._name),
        )
        found = next(listed, None)
        return None if found is None else str(found.pipeline_id)

    def _make(self) -> str:
        def make() -> str:
            uploaded = self._cluster.sdk.upload_pipeline(
                str(self._package),
                pipeline_name=self._name,
                description=self._description,
                namespace=self._cluster.namespace or None,
            )
            return str(identified(uploaded, "pipeline_id").pipeline_id)

        try:
            return self._cluster.once(make, self._find)
        except ClusterRefused as error:
            found = self._find() if error.status == 409 else None
            if found is None:
                raise
            return found  # another client has just created it

    def _find_version(self, pipeline_id: str, name: str) -> Any:
        cluster = self._cluster
        listed = cluster.all(
            cluster.sdk.list_pipeline_versions,
            "pipeline_versions",
            pipeline_id=pipeline_id,
            filter=named(name),
        )
        return next(listed, None)

    def _make_version(self, pipeline_id: str, name: str, content: str) -> Any:
        def make() -> Any:
            made = self._cluster.sdk.upload_pipeline_version(
                str(self._package),
                pipeline_version_name=name,
                pipeline_id=pipeline_id,
                description=f"nasoa {content}",
            )
            return identified(made, "pipeline_version_id")

        def find() -> Any:
            return self._find_version(pipeline_id, name)

        try:
            return self._cluster.once(make, find)
        except ClusterRefused as error:
            found = find() if error.status == 409 else None
            if found is None:
                raise
            return found
