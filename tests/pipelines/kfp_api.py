"""The v2beta1 API as its generated client defines it: operations, and the types of bodies.

Nothing here is written by hand: paths, parameters and types are read from kfp-server-api, which is
generated from KFP's own OpenAPI files.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import kfp_server_api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

_CALL = re.compile(r"call_api\(\s*'([^']+)', '(\w+)'")
_QUERY = re.compile(r"query_params\.append\(\('([^']+)'")
_BODY = re.compile(r"body_params = local_var_params\['(\w+)'\]")
_FILE = re.compile(r"local_var_files\['(\w+)'\]")
_RESPONSE = re.compile(r"response_type='([^']+)'")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of the API; `body` and `response` are names of types."""

    name: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    body: str | None
    file: str | None
    response: str


@cache
def operations() -> tuple[Operation, ...]:
    found = []
    for service in vars(kfp_server_api).values():
        if not inspect.isclass(service) or not service.__name__.endswith("ServiceApi"):
            continue
        for name, method in vars(service).items():
            if name.endswith("_with_http_info"):
                found.append(_read(name.removesuffix("_with_http_info"), inspect.getsource(method)))
    return tuple(found)


def _read(name: str, source: str) -> Operation:
    path, method = _CALL.search(source).groups()  # type: ignore[union-attr]
    body = _BODY.search(source)
    file = _FILE.search(source)
    response = _RESPONSE.search(source)
    kind = re.search(rf":type {body[1]}: (\S+)", source) if body else None
    return Operation(
        name=name,
        method=method,
        path=re.compile(re.sub(r"\{[^}]+\}", "([^/:]+)", path)),
        query=frozenset(_QUERY.findall(source)),
        body=kind[1] if kind else None,
        file=file[1] if file else None,
        response=response[1] if response else "object",
    )


def operation(method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
    """Return the operation of a request, and the values in its path."""
    matches = [
        (found, match.groups())
        for found in operations()
        if found.method == method and (match := found.path.fullmatch(path))
    ]
    # `pipelines/upload` also matches `pipelines/{pipeline_id}`; the one with fewer values counts.
    return min(matches, key=lambda pair: len(pair[1]), default=None)


def problems(value: Any, kind: str, where: str = "$") -> list[str]:
    """Return what is wrong with a JSON value that should be of a type of the API."""
    if kind.startswith("list["):
        if not isinstance(value, list):
            return [f"{where}: expected a list, got {value!r}"]
        inner = kind[5:-1]
        return [p for i, v in enumerate(value) for p in problems(v, inner, f"{where}[{i}]")]
    if kind.startswith("dict("):
        if not isinstance(value, dict):
            return [f"{where}: expected a mapping, got {value!r}"]
        inner = kind[5:-1].split(", ", 1)[1]
        return [p for k, v in value.items() for p in problems(v, inner, f"{where}.{k}")]
    plain = _plain_problem(value, kind, where)
    return [plain] if plain else ([] if kind in _PLAIN else _model_problems(value, kind, where))


_PLAIN = {"str", "int", "bool", "float", "datetime", "object"}


def _plain_problem(value: Any, kind: str, where: str) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        # A 64-bit integer is a string in OpenAPI; JSON of protocol buffers takes a number too.
        "str": isinstance(value, str) or (is_number and isinstance(value, int)),
        "int": is_number and isinstance(value, int),
        "float": is_number,
        "bool": isinstance(value, bool),
        "datetime": isinstance(value, str) and _is_time(value),
        "object": True,
    }
    return None if fits.get(kind, True) else f"{where}: expected {kind}, got {value!r}"


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _model_problems(value: Any, kind: str, where: str) -> list[str]:
    model = getattr(kfp_server_api, kind)
    if not model.openapi_types:
        known = [v for k, v in vars(model).items() if k.isupper()]
        return [] if value in known else [f"{where}: expected one of {known}, got {value!r}"]
    if not isinstance(value, dict):
        return [f"{where}: expected {kind}, got {value!r}"]
    names = {model.attribute_map[attribute]: t for attribute, t in model.openapi_types.items()}
    found = [f"{where}.{key}: {kind} has no such field" for key in value if key not in names]
    for key, inner in value.items():
        if key == "pipeline_spec":
            found += spec_problems(inner, f"{where}.{key}")
        elif key in names:
            found += problems(inner, names[key], f"{where}.{key}")
    return found


def spec_problems(document: Any, where: str) -> list[str]:
    """Return what KFP's protocol buffers reject in a pipeline, alone or with its platform."""
    spec = document.get("pipeline_spec", document)
    platform = document.get("platform_spec", {})
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        return [f"{where}: {error}"]
    return []
