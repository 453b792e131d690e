"""The pipelines by name, and their compiled form."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kfp.compiler import Compiler

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.build_zoo import build_zoo
from nasoa.pipelines.finetune_task import finetune_task
from nasoa.pipelines.meta_train import meta_train
from nasoa.pipelines.search_generation import search_generation

PIPELINES = {
    "finetune_task": finetune_task,
    "search_generation": search_generation,
    "build_zoo": build_zoo,
    "meta_train": meta_train,
}


def find(name: str) -> Any:
    """The pipeline of that name; `-` and `_` are the same.

    Raises:
        UnknownName: there is none; suggests near names.
    """
    plain = name.replace("-", "_")
    if plain not in PIPELINES:
        raise UnknownName("pipeline", name, PIPELINES)
    return PIPELINES[plain]


def describe() -> list[dict[str, Any]]:
    """Name, description and parameters of every pipeline."""
    described = []
    for name, pipeline in PIPELINES.items():
        inputs = pipeline.component_spec.inputs or {}
        described.append(
            {
                "name": name,
                "description": pipeline.description,
                "parameters": {
                    key: {
                        "type": spec.type,
                        "default": spec.default,
                        "required": not spec.optional,
                        "description": spec.description,
                    }
                    for key, spec in inputs.items()
                },
            }
        )
    return described


def compile_to(name: str, folder: Path) -> Path:
    """Write a pipeline's YAML into a folder, whole or not at all; returns the file's path."""
    pipeline = find(name)
    target = folder / f"{name.replace('-', '_')}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            partial = Path(scratch) / target.name
            Compiler().compile(pipeline, str(partial))
            partial.replace(target)
    except OSError as error:
        raise InvalidInput(
            f"expected a folder that can be written, but {folder}: {error.strerror}"
        ) from None
    return target


def versions() -> str:
    """The versions that matter when a pipeline is run."""
    return f"kfp {version('kfp')}, pipelines {', '.join(PIPELINES)}"
