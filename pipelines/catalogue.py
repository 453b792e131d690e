"""The pipelines by name, and their compiled form."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kfp.compiler import Compiler

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.build_zoo import BUILD_ZOO
from nasoa.pipelines.finetune_task import FINETUNE_IMAGES, FINETUNE_TASK
from nasoa.pipelines.meta_train import META_TRAIN
from nasoa.pipelines.options import CompileOptions, compile_options
from nasoa.pipelines.search_generation import SEARCH_GENERATION

DEFINITIONS = {
    definition.name: definition
    for definition in (FINETUNE_TASK, FINETUNE_IMAGES, SEARCH_GENERATION, BUILD_ZOO, META_TRAIN)
}


def build(name: str, options: CompileOptions) -> Any:
    """One pipeline; the options are checked for all.

    Raises:
        InvalidInput: the options name a pipeline or parameter that there is not, or a default does
            not fit.
    """
    for named in options.site.pipelines:
        if named not in DEFINITIONS:
            raise UnknownName("pipeline in the site's file", named, DEFINITIONS)
    known = {parameter.name for d in DEFINITIONS.values() for parameter in d.parameters(options)}
    for named in options.site.parameters:
        if named not in known:
            raise UnknownName("parameter in the site's file", named, known)
    return DEFINITIONS[name].build(options)


# As the environment says; other options make them anew.
PIPELINES = {name: build(name, compile_options()) for name in DEFINITIONS}


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
    return PIPELINES[plain] if options is None else build(plain, options)


def describe() -> list[dict[str, Any]]:
    """Name, description and parameters of every pipeline."""
    described = []
    for name, pipeline in PIPELINES.items():
        inputs = pipeline.component_spec.inputs or {}
        described.append(
            {
                "name": name,
                "description": DEFINITIONS[name].description,
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
