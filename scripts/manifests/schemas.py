"""Documents against schemas: Kubernetes' own of two minor versions, and released custom resources.

The latter are in manifests/schemas/, made by crd_schemas.py from the definitions that Kubeflow, the
External Secrets Operator and the Prometheus operator release; where there are several releases of
one, a document must be right for each. Job templates inside a custom resource are held against
Kubernetes' schema of a Job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import kubernetes_validate

from scripts.manifests.bundle import MANIFESTS, Bundle, Document, title
from scripts.manifests.pods import replicated_jobs

KUBERNETES = ("1.36", "1.37")


def check(bundle: Bundle) -> Iterator[str]:
    """What a server of either version would refuse, unknown fields included."""
    custom = _custom_schemas()
    for document in bundle.documents:
        api = f"{document['apiVersion']}/{document['kind']}"
        for release, schema in custom.get(api, ()):
            yield from _custom_problems(document, schema, release)
        if api not in custom:
            for version in KUBERNETES:
                yield from _problems(document, title(document), version)
        yield from _job_problems(document)


def _custom_schemas() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """By apiVersion and kind: the releases and their schemas."""
    schemas: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path in sorted((MANIFESTS / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        properties = schema["properties"]
        api = f"{properties['apiVersion']['const']}/{properties['kind']['const']}"
        release = schema["$comment"].partition(" of ")[2]
        schemas.setdefault(api, []).append((release, schema))
    return schemas


def _custom_problems(document: Document, schema: dict[str, Any], release: str) -> Iterator[str]:
    validator = jsonschema.Draft202012Validator(schema)
    for error in validator.iter_errors(document):
        yield f"{title(document)}: {release}: {_at(error)}: {error.message}"


def _job_problems(document: Document) -> Iterator[str]:
    """The jobs of a training runtime."""
    if document["kind"] not in ("ClusterTrainingRuntime", "TrainingRuntime"):
        return
    for replicated in replicated_jobs(document):
        template = json.loads(json.dumps(replicated["template"]))
        # A JobSet sets it where it is not said; a Job on its own must say it.
        template["spec"]["template"]["spec"].setdefault("restartPolicy", "OnFailure")
        job = {"apiVersion": "batch/v1", "kind": "Job", **template}
        for version in KUBERNETES:
            yield from _problems(job, f"{title(document)}, {replicated['name']}", version)


def _problems(document: Document, where: str, version: str) -> Iterator[str]:
    for message in _messages(json.dumps(document), version):
        yield f"{where}: {message}"


@lru_cache(maxsize=4096)
def _messages(text: str, version: str) -> tuple[str, ...]:
    """What is wrong with a document, kept: a schema takes 25 ms to read, overlays share most."""
    document = json.loads(text)
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return (f"Kubernetes {version}: {_at(error)}: {error.message}",)
    except kubernetes_validate.SchemaNotFoundError:
        api = f"{document['apiVersion']} {document['kind']}"
        return (f"neither Kubernetes {version} nor manifests/schemas knows {api}",)
    return ()


def _at(error: Any) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "document"
