"""A pipeline's parameters from text: known, complete, and of their types."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.pool_values import check


def typed(pipeline: Any, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Values of the types that the pipeline declares.

    Args:
        pipeline: of the catalogue.
        parameters: by name, as text; lists and mappings as JSON.

    Raises:
        InvalidInput: a parameter is unknown, missing, or not of its type, or a value of a pool's
            is one that Kubernetes would refuse.
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
    """Those of the parameters that the pipeline has, of their types.

    Raises:
        InvalidInput: one is not of its type.
    """
    inputs = pipeline.component_spec.inputs or {}
    known = {key: value for key, value in parameters.items() if key in inputs}
    return {key: _parse(key, value, inputs[key].type) for key, value in known.items()}


def _parse(key: str, text: str, kind: str) -> Any:
    parsers: dict[str, tuple[Any, str]] = {
        "Integer": (int, "a number"),
        "Float": (_finite, "a number"),
        "Boolean": (_boolean, "true or false"),
        "List": (_list, "a JSON list like [1, 2]"),
        "Dict": (_mapping, 'a JSON mapping like {"pool": "gpu"}'),
    }
    # A list or mapping of a pipeline is named as Python names it, like typing.List[str].
    plain = kind.removeprefix("typing.").partition("[")[0]
    parser, expected = parsers.get(plain, (str, "text"))
    try:
        return parser(text)
    except ValueError:
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
