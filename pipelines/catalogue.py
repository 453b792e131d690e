"""The catalogue of pipelines by name, and their compilation to YAML."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, MutableMapping
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
    """Build one pipeline; the names in the options are checked against all pipelines.

    Raises:
        InvalidInput: the options name an unknown pipeline or parameter, or a default is not of
            its parameter's type.
    """
    for named in options.site.pipelines:
        if named not in DEFINITIONS:
            raise UnknownName("pipeline in the site file", named, DEFINITIONS)
    known = {parameter.name for d in DEFINITIONS.values() for parameter in d.parameters(options)}
    for named in options.site.parameters:
        if named not in known:
            raise UnknownName("parameter in the site file", named, known)
    return DEFINITIONS[name].build(options)


class _Pipelines(MutableMapping[str, Any]):
    """The pipelines by name, each built with the options of the environment at its first use.

    Building one takes about as long as starting Python, and a local run needs one of them only.
    """

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built and name in DEFINITIONS:
            self._built[name] = build(name, compile_options())
        return self._built[name]

    def __setitem__(self, name: str, pipeline: Any) -> None:
        self._built[name] = pipeline

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __contains__(self, name: object) -> bool:
        return name in DEFINITIONS

    def __iter__(self) -> Iterator[str]:
        return iter(DEFINITIONS)

    def __len__(self) -> int:
        return len(DEFINITIONS)


# `find` builds a pipeline with other options.
PIPELINES: MutableMapping[str, Any] = _Pipelines()


def find(name: str, options: CompileOptions | None = None) -> Any:
    """Return the pipeline of that name; `-` and `_` are equivalent.

    Args:
        name: name of the pipeline.
        options: compile options; by default those of the environment.

    Raises:
        UnknownName: no pipeline has this name; the message suggests similar ones.
    """
    plain = name.replace("-", "_")
    if plain not in PIPELINES:
        raise UnknownName("pipeline", name, PIPELINES)
    return PIPELINES[plain] if options is None else build(plain, options)


def describe() -> list[dict[str, Any]]:
    """Return the name, description and parameters of every pipeline."""
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
    """Write a pipeline's YAML into a folder atomically, and return the file's path."""
    pipeline = find(name, options)
    target = folder / f"{name.replace('-', '_')}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            partial = Path(scratch) / target.name
            Compiler().compile(pipeline, str(partial))
            partial.replace(target)
    except OSError as error:
        raise InvalidInput(f"expected a writable folder, but {folder}: {error.strerror}") from None
    return target


def versions() -> str:
    """Return the version of kfp and the names of the pipelines, for `nasoa doctor`."""
    return f"kfp {version('kfp')}, pipelines {', '.join(PIPELINES)}"
