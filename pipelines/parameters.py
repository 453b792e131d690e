"""Check and convert a pipeline's parameters, given as text or in a site file."""

from __future__ import annotations

import inspect
import json
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.pool_values import check


def typed(pipeline: Any, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Convert parameters to the types that the pipeline declares.

    Args:
        pipeline: pipeline of the catalogue.
        parameters: values by name, as text; lists and mappings as JSON.

    Raises:
        InvalidInput: a parameter is unknown, missing, or not of its type, or Kubernetes would
            refuse the value of a pool parameter.
    """
    inputs = pipeline.component_spec.inputs or {}
    for key in parameters:
        if key not in inputs:
            raise UnknownName("parameter", key, inputs)
    missing = [key for key, s in inputs.items() if not s.optional and key not in parameters]
    if missing:
        raise InvalidInput(
            f"expected the parameter {missing[0]!r}; give it with -p {missing[0]}=..."
        )
    values = {key: _parse(key, value, inputs[key].type) for key, value in parameters.items()}
    check(values)
    return values


def typed_where_known(pipeline: Any, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Convert those of the parameters that the pipeline has to their types.

    Raises:
        InvalidInput: a value is not of its type.
    """
    inputs = pipeline.component_spec.inputs or {}
    known = {key: value for key, value in parameters.items() if key in inputs}
    return {key: _parse(key, value, inputs[key].type) for key, value in known.items()}


def fitting_defaults(
    pipeline: str, parameters: Iterable[inspect.Parameter], options: CompileOptions
) -> dict[str, Any]:
    """Return the defaults that the options give a pipeline, each of its parameter's type.

    A number is accepted for a text parameter, as in the YAML `gpu_count: 0`.

    Args:
        pipeline: name of the pipeline in Python.
        parameters: all parameters of the pipeline.
        options: compile options.

    Raises:
        InvalidInput: a default is for an unknown parameter, or not of its parameter's type.
    """
    known = {p.name: p for p in parameters}
    for name in options.site.pipelines.get(pipeline, {}):
        if name not in known:
            raise UnknownName(f"parameter of {pipeline}", name, known)
    given = options.defaults_of(pipeline)
    return {name: _fitting(known[name], value) for name, value in given.items() if name in known}


def _fitting(parameter: inspect.Parameter, value: Any) -> Any:
    kind = typing.get_origin(parameter.annotation) or parameter.annotation
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is str and is_number:
        return str(value)
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise InvalidInput(
        f"expected {_IN_WORDS.get(kind, kind.__name__)} as the default of {parameter.name!r}, "
        f"got {value!r}"
    )


_IN_WORDS = {str: "text", int: "a whole number", list: "a list", dict: "a mapping"}


def _parse(key: str, text: str, kind: str) -> Any:
    parsers: dict[str, tuple[Any, str]] = {
        "Integer": (int, "a number"),
        "Float": (_finite, "a number"),
        "Boolean": (_boolean, "true or false"),
        "List": (_list, "a JSON list like [1, 2]"),
        "Dict": (_mapping, 'a JSON mapping like {"pool": "gpu"}'),
    }
    # KFP names lists and mappings of a pipeline as Python does, like typing.List[str].
    plain = kind.removeprefix("typing.").partition("[")[0]
    parser, expected = parsers.get(plain, (str, "text"))
    try:
        return parser(text)
    except (ValueError, RecursionError):
        raise InvalidInput(f"expected {expected} for the parameter {key!r}, got {text!r}") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # JSON has no such number
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    words = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _list(text: str) -> list[Any]:
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError(text)
    return value


def _mapping(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value
