"""Documents against schemas: Kubernetes' own of two minor versions, and ours of custom resources.

Ours are in manifests/schemas/: the fields that we use, and no others, as the types of Kubeflow
Trainer, the External Secrets Operator and the Prometheus operator define them. Job templates inside
a custom resource are held against Kubernetes' schema of a Job.
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
        if api in custom:
            yield from _custom_problems(document, custom[api])
        else:
            for version in KUBERNETES:
                yield from _problems(document, title(document), version)


def _custom_schemas() -> dict[str, dict[str, Any]]:
    """By apiVersion and kind."""
    schemas = {}
    for path in sorted((MANIFESTS / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        properties = schema["properties"]
        api = f"{properties['apiVersion']['const']}/{properties['kind']['const']}"
        schemas[api] = schema
    return schemas


def _custom_problems(document: Document, schema: dict[str, Any]) -> Iterator[str]:
    validator = jsonschema.Draft202012Validator(schema)
    for error in validator.iter_errors(document):
        yield f"{title(document)}: {_at(error)}: {error.message}"
    if document["kind"] in ("ClusterTrainingRuntime", "TrainingRuntime"):
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
