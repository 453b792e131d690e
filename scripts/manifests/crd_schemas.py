"""Take the schema of a custom resource out of a released CustomResourceDefinition.

    python -m scripts.manifests.crd_schemas CRD.yaml --release "kubeflow/trainer v2.3.0" --out FILE

The result is JSON Schema that refuses what a server refuses under strict validation: fields that
the definition does not have. Descriptions go, and so do rules in CEL, which JSON Schema cannot
express. With --leave, a field like spec.template.spec may have any content: parts of Kubernetes'
own types, which are checked against Kubernetes' own schemas.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

KEPT = (
    "type",
    "enum",
    "pattern",
    "required",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the schema."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definition", type=Path)
    parser.add_argument("--release", required=True, help="where the definition comes from")
    parser.add_argument("--version", help="of the resource; default: the one that is stored")
    parser.add_argument("--leave", nargs="*", default=[], metavar="PATH")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    definition = yaml.safe_load(arguments.definition.read_text(encoding="utf-8"))
    schema = schema_of(definition, arguments.version, arguments.release, arguments.leave)
    arguments.out.write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")
    return 0


def schema_of(
    definition: dict[str, Any], version: str | None, release: str, leave: Sequence[str] = ()
) -> dict[str, Any]:
    """The JSON Schema of one version of a custom resource.

    Args:
        definition: a CustomResourceDefinition.
        version: of the resource, or None for the one that is stored.
        release: where the definition comes from, which the schema names.
        leave: paths of fields whose content is left open.
    """
    spec = definition["spec"]
    (served,) = (
        item
        for item in spec["versions"]
        if (item["storage"] if version is None else item["name"] == version)
    )
    schema = _strict(served["schema"]["openAPIV3Schema"], (), {tuple(p.split(".")) for p in leave})
    properties = schema["properties"]
    properties.pop("status", None)
    properties["apiVersion"] = {"const": f"{spec['group']}/{served['name']}"}
    properties["kind"] = {"const": spec["names"]["kind"]}
    properties["metadata"] = _metadata(spec["scope"] == "Namespaced")
    required = {"apiVersion", "kind", "metadata", *schema.get("required", ())}
    if "spec" in properties:
        required.add("spec")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"{spec['names']['plural']}.{spec['group']} of {release}",
        **schema,
        "required": sorted(required),
    }


def _metadata(is_namespaced: bool) -> dict[str, Any]:
    """A cluster-wide resource must not have a namespace; kubectl adds none to the other."""
    properties: dict[str, Any] = {"name": NAME, "labels": TEXTS, "annotations": TEXTS}
    required = ["name"]
    if is_namespaced:
        properties["namespace"] = NAME
        required.append("namespace")
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _strict(
    schema: dict[str, Any], at: tuple[str, ...], leave: set[tuple[str, ...]]
) -> dict[str, Any]:
    """A structural schema without what only documents it, and closed for unknown fields."""
    if at in leave:
        return {"type": "object"}
    kept: dict[str, Any] = {name: schema[name] for name in KEPT if name in schema}
    if schema.get("x-kubernetes-int-or-string"):
        kept.pop("type", None)
        kept["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if schema.get("nullable"):
        kept["type"] = [schema["type"], "null"]
    if "items" in schema:
        kept["items"] = _strict(schema["items"], at, leave)
    if "properties" in schema:
        kept["properties"] = {
            name: _strict(field, (*at, name), leave) for name, field in schema["properties"].items()
        }
    if isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = _strict(schema["additionalProperties"], at, leave)
    elif kept.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        kept["additionalProperties"] = False
    return kept


if __name__ == "__main__":
    sys.exit(main())
