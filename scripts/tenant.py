"""Create the policies and keys of one tenant of an S3 server that several tenants share.

    python -m scripts.tenant alice --endpoint URL | kubectl apply -f -
    python -m scripts.tenant alice --output alice/

A tenant has a store of its own, s3://nasoa-tenants/NAME unless --store says otherwise, and
identities of its own, which may do there what those of manifests/base/store may do in s3://nasoa,
and nothing elsewhere. The first form prints what a cluster needs; the second writes policies,
identities and keys as files that only you can read, for a server without Kubernetes. Running it
again creates new keys (docs/security.md).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.store_secrets import (
    ACCESS_KEY,
    IDENTITIES,
    OF_ALL_RUNS,
    OF_PEOPLE,
    OF_TASKS,
    SECRET_KEY,
    new_keys,
)

POLICIES = IDENTITIES.parent / "policies"
TEMPLATE_ARN = "arn:aws:s3:::nasoa"
BUCKET = "nasoa-tenants"
# It becomes part of names of namespaces, policies and ConfigMaps.
TENANT = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# One level, since a store within another tenant's would be open to it.
STORE = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/?(?P<prefix>[A-Za-z0-9][A-Za-z0-9._-]*)?/?"
)
Json = dict[str, Any]


@dataclass(frozen=True)
class Tenant:
    """A tenant and its store.

    Args:
        name: name of the tenant.
        bucket: bucket of its store.
        prefix: prefix of its store in the bucket; "" if the whole bucket is the store.
    """

    name: str
    bucket: str
    prefix: str

    def identities(self) -> dict[str, tuple[str, list[str]]]:
        """Return the Secret and the policies of each of the tenant's identities.

        Names contain an underscore, which no tenant's name does, so those of two tenants differ.
        """
        rows = (line.split() for line in IDENTITIES.read_text(encoding="utf-8").splitlines())
        return {
            f"{self.name}_{secret}": (secret, [f"{self.name}_{policy}" for policy in policies])
            for secret, *policies in rows
            if secret in OF_TASKS | OF_ALL_RUNS | OF_PEOPLE
        }

    def policies(self) -> dict[str, Json]:
        """Return the policies of the tenant's identities by name."""
        named = {policy for _, policies in self.identities().values() for policy in policies}
        return {name: self._policy(name.removeprefix(f"{self.name}_")) for name in sorted(named)}

    def _policy(self, name: str) -> Json:
        document: Json = json.loads((POLICIES / f"{name}.json").read_text(encoding="utf-8"))
        inner = f"{self.prefix}/" if self.prefix else ""
        for statement in document["Statement"]:
            statement["Resource"] = [self._resource(arn, inner) for arn in statement["Resource"]]
            for condition in statement.get("Condition", {}).values():
                condition["s3:prefix"] = [inner + pattern for pattern in condition["s3:prefix"]]
        return document

    def _resource(self, arn: str, inner: str) -> str:
        key = arn.removeprefix(TEMPLATE_ARN).removeprefix("/")
        return f"arn:aws:s3:::{self.bucket}" + (f"/{inner}{key}" if key else "")

    def files(self) -> dict[str, str]:
        """Return the files that the bucket job reads: bucket, identities and policies."""
        rows = (
            " ".join([identity, *policies]) for identity, (_, policies) in self.identities().items()
        )
        return {
            f"buckets.{self.name}": f"{self.bucket}\n",
            f"identities.{self.name}": "\n".join(rows) + "\n",
            **{
                f"{name}.json": json.dumps(document, indent=2) + "\n"
                for name, document in self.policies().items()
            },
        }


def tenant_of(name: str, store: str) -> Tenant:
    """Return the tenant with this name and store.

    Args:
        name: lower-case letters, digits and hyphens.
        store: `s3://bucket/prefix`, or "" for a prefix of the bucket of all tenants.

    Raises:
        ValueError: the name or the store is invalid; the message says why.
    """
    if not TENANT.fullmatch(name):
        raise ValueError(
            "expected a name of at most 40 lower-case letters, digits and hyphens, which neither "
            f"begins nor ends with a hyphen, got {name!r}"
        )
    matched = STORE.fullmatch(store or f"s3://{BUCKET}/{name}")
    if matched is None:
        raise ValueError(
            f"expected a store like s3://{BUCKET}/{name}, or a bucket like s3://nasoa-{name}, "
            f"got {store!r}"
        )
    if matched["bucket"] == "nasoa":
        raise ValueError(
            f"expected a bucket for tenants alone, got {store!r}, in which other identities have "
            f"rights; name another, like s3://{BUCKET}/{name}"
        )
    return Tenant(name, matched["bucket"], matched["prefix"] or "")


def documents(
    tenant: Tenant, keys: dict[str, dict[str, str]], endpoint: str, namespaces: tuple[str, str]
) -> list[Json]:
    """Return the policies and keys for the bucket job, and one Secret per component.

    Args:
        tenant: the tenant.
        keys: access key and secret key of each identity.
        endpoint: address of the S3 server.
        namespaces: namespace of the tenant's pods, and of the bucket job.
    """
    runs, store = namespaces
    name = f"nasoa-tenant-{tenant.name}"
    secrets = [
        _document("Secret", *place, {**keys[identity], "NASOA_S3_ENDPOINT": endpoint})
        for identity, (secret, _) in tenant.identities().items()
        for place in [(secret, runs) if secret not in OF_PEOPLE else (f"{name}-upload", store)]
    ]
    return [
        _document("ConfigMap", name, store, tenant.files()),
        _document("Secret", name, store, _key_files(keys)),
        *secrets,
    ]


def _key_files(keys: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the keys as files, as the bucket job reads them."""
    files = {}
    for identity, pair in keys.items():
        files[f"{identity}.access-key"] = pair[ACCESS_KEY]
        files[f"{identity}.secret-key"] = pair[SECRET_KEY]
    return files


def _document(kind: str, name: str, namespace: str, values: dict[str, str]) -> Json:
    labels = {"app.kubernetes.io/part-of": "nasoa"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    content = {"data": values} if kind == "ConfigMap" else {"type": "Opaque", "stringData": values}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


def write_files(tenant: Tenant, keys: dict[str, dict[str, str]], folder: Path) -> None:
    """Write policies, identities and keys, which only the owner of the files can read.

    Args:
        tenant: the tenant.
        keys: access key and secret key of each identity.
        folder: a folder that does not exist yet.
    """
    policies, identities = folder / "policies", folder / "identities"
    for each in (folder, policies, identities):
        each.mkdir(mode=0o700)
    for name, text in tenant.files().items():
        (policies / name).write_text(text, encoding="utf-8")
    for name, value in _key_files(keys).items():
        handle = os.open(identities / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(value)


def main() -> int:
    """Print documents or write files; return 2 if the arguments are invalid."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("name", help="name of the tenant, like alice")
    parser.add_argument("--store", default="", help=f"default: s3://{BUCKET}/NAME")
    parser.add_argument("--endpoint", help="like https://minio.example.com")
    parser.add_argument("--namespace", help="namespace of the tenant's pods; default: nasoa-NAME")
    parser.add_argument(
        "--store-namespace", default="nasoa-store", help="where the bucket job runs"
    )
    parser.add_argument("--output", type=Path, help="a new folder for files, instead of documents")
    arguments = parser.parse_args()
    try:
        tenant = tenant_of(arguments.name, arguments.store)
    except ValueError as error:
        parser.error(str(error))
    keys = {identity: new_keys() for identity in tenant.identities()}
    if arguments.output:
        try:
            write_files(tenant, keys, arguments.output)
        except OSError as error:
            parser.error(f"expected a new folder for --output: {error.strerror}: {error.filename}")
        return 0
    if not (arguments.endpoint or "").startswith(("http://", "https://")):
        parser.error(
            f"expected an endpoint like http://host:port, or --output, got {arguments.endpoint!r}"
        )
    namespaces = (arguments.namespace or f"nasoa-{tenant.name}", arguments.store_namespace)
    items = documents(tenant, keys, arguments.endpoint, namespaces)
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
