"""What becomes of a CustomResourceDefinition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scripts.manifests.crd_schemas import main, schema_of

FIELDS: dict[str, Any] = {
    "count": {"type": "integer", "minimum": 1, "description": "how many"},
    "size": {"x-kubernetes-int-or-string": True, "pattern": "^[0-9]+Gi$"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "empty": {"type": "object"},
    "parts": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "pod": {"type": "object"}},
        },
    },
}
DEFINITION: dict[str, Any] = {
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {"name": "v1alpha1", "storage": False, "schema": {"openAPIV3Schema": {}}},
            {
                "name": "v1",
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "metadata": {"type": "object"},
                            "spec": {"type": "object", "properties": FIELDS},
                            "status": {"type": "object"},
                        },
                    }
                },
            },
        ],
    }
}


def problems(schema: dict[str, Any], **spec: Any) -> list[str]:
    thing = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": spec,
    }
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(thing)]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"count": 1, "size": 3, "labels": {"a": "b"}, "open": {"a": [1]}, "empty": {}},
        {"size": "3Gi", "parts": [{"name": "a"}]},
    ],
)
def test_what_a_server_takes(spec: dict[str, Any]) -> None:
    assert problems(schema_of(DEFINITION, None, "r"), **spec) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"colour": "red"},
        {"count": 0},
        {"count": "1"},
        {"size": "3"},
        {"size": 1.5},
        {"labels": {"a": 1}},
        {"empty": {"a": 1}},
        {"parts": [{}]},
        {"parts": [{"name": "a", "pod": {"a": 1}}]},
    ],
)
def test_what_a_server_refuses(spec: dict[str, Any]) -> None:
    assert len(problems(schema_of(DEFINITION, None, "r"), **spec)) == 1


def test_what_is_left_open() -> None:
    schema = schema_of(DEFINITION, "v1", "r", ["spec.parts.pod"])
    assert problems(schema, parts=[{"name": "a", "pod": {"a": 1}}]) == []


def test_the_command_writes_the_release(tmp_path: Path) -> None:
    given, made = tmp_path / "crd.yaml", tmp_path / "thing.json"
    given.write_text(yaml.safe_dump(DEFINITION))
    assert main([str(given), "--release", "example/things v1.2.0", "--out", str(made)]) == 0
    schema = json.loads(made.read_text())
    assert schema["$comment"] == "things.example.com of example/things v1.2.0"
    assert "how many" not in made.read_text()
