"""The pipelines by name, and their compiled form."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kfp.compiler import Compiler

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.build_zoo import BUILD_ZOO
from nasoa.pipelines.finetune_task import FINETUNE_TASK
from nasoa.pipelines.meta_train import META_TRAIN
from nasoa.pipelines.options import CompileOptions, compile_options
from nasoa.pipelines.search_generation import SEARCH_GENERATION

DEFINITIONS = {d.name: d for d in (FINETUNE_TASK, SEARCH_GENERATION, BUILD_ZOO, META_TRAIN)}
# As the environment says; other options make them anew.
PIPELINES = {name: d.build(compile_options()) for name, d in DEFINITIONS.items()}


def find(name: str, options: CompileOptions | None = None) -> Any:
    """The pipeline of that name; `-` and `_` are the same.

    Args:
        name: of the pipeline.
        options: of the compilation; by default those of the environment.

    Raises:
        UnknownName: there is none; suggests near names.
    """
    plain = name.replace("-", "_")
    if plain not in PIPELINES:
        raise UnknownName("pipeline", name, PIPELINES)
    return PIPELINES[plain] if options is None else DEFINITIONS[plain].build(options)


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


def compile_to(name: str, folder: Path, options: CompileOptions | None = None) -> Path:
    """Write a pipeline's YAML into a folder, whole or not at all; returns the file's path."""
    pipeline = find(name, options)
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
