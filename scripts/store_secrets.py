"""Create keys for every identity of the store, as Secrets for `kubectl apply -f -`.

    python scripts/store_secrets.py --endpoint URL | kubectl apply -f -

Nothing is written to disk. Running it again creates new keys; run the bucket job again afterwards.
A namespace only gets the keys of the steps that run there. The administrator's keys are new ones,
for a store inside the cluster; for one outside, give them in NASOA_S3_ACCESS_KEY_ID and
NASOA_S3_SECRET_ACCESS_KEY (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and pass
--admin-from-environment.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IDENTITIES = Path(__file__).resolve().parents[1] / "manifests" / "base" / "store" / "identities"
ADMIN = "nasoa-s3-admin"
ALL_IDENTITIES = "nasoa-s3-identities"
ACCESS_KEY = "NASOA_S3_ACCESS_KEY_ID"
SECRET_KEY = "NASOA_S3_SECRET_ACCESS_KEY"
# Identities where users' tasks run: steps of finetune_task, maintenance of the store, a person, and
# pods that serve models.
OF_TASKS = {
    "nasoa-s3",
    "nasoa-s3-compact-experience",
    "nasoa-s3-compute-meta-features",
    "nasoa-s3-finetune",
    "nasoa-s3-metrics",
    "nasoa-s3-predict-regime",
    "nasoa-s3-serve",
    "nasoa-s3-update-predictor",
}
# The last step of every pipeline, and what looks after all runs.
OF_ALL_RUNS = {"nasoa-s3-reconcile", "nasoa-s3-record-failure"}
# For people who put data into the bucket. No pod may, so these keys are where no run is.
OF_PEOPLE = {"nasoa-s3-upload"}
ACCESS_KEY_LENGTH = 20
SECRET_KEY_LENGTH = 40
# Alphanumeric only, so that neither a shell nor a URL changes them.
ALPHABET = string.ascii_letters + string.digits


def main() -> int:
    """Print the Secrets as one JSON list; the exit code is 2 if the arguments are invalid."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--endpoint", required=True, help="like https://minio.example.com")
    parser.add_argument("--namespace", default="nasoa", help="where users' tasks run")
    parser.add_argument(
        "--search-namespace", help="where search and pretraining run; default: the same"
    )
    parser.add_argument(
        "--store-namespace", default="nasoa-store", help="where the bucket job runs"
    )
    parser.add_argument("--admin-from-environment", action="store_true")
    arguments = parser.parse_args()
    if not arguments.endpoint.startswith(("http://", "https://")):
        parser.error(f"expected an endpoint like http://host:port, got {arguments.endpoint!r}")
    admin = new_keys()
    if arguments.admin_from_environment:
        admin = {name: _from_environment(name) for name in admin}
        if not all(admin.values()):
            parser.error(f"expected {' and '.join(admin)} in the environment")
    names = [line.split()[0] for line in IDENTITIES.read_text(encoding="utf-8").splitlines()]
    keys = {name: new_keys() for name in names}
    search_namespace = arguments.search_namespace or arguments.namespace
    namespaces = Namespaces(arguments.namespace, search_namespace, arguments.store_namespace)
    items = store_secrets(keys, admin, arguments.endpoint, namespaces)
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


def new_keys() -> dict[str, str]:
    """Return a random pair of keys."""
    return {
        ACCESS_KEY: _random(ACCESS_KEY_LENGTH),
        SECRET_KEY: _random(SECRET_KEY_LENGTH),
    }


def _from_environment(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.replace("NASOA_S3_", "AWS_"), "")


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(frozen=True)
class Namespaces:
    """Namespaces of the pods that need keys.

    Args:
        tasks: namespace of users' tasks.
        search: namespace of search and pretraining; may be the same.
        store: namespace of the bucket job, which knows all keys.
    """

    tasks: str
    search: str
    store: str

    def of(self, identity: str) -> list[str]:
        """Return the namespaces in which this identity has pods, or that of the store."""
        if identity in OF_PEOPLE:
            return [self.store]
        if identity in OF_ALL_RUNS:
            return sorted({self.tasks, self.search})
        return [self.tasks if identity in OF_TASKS else self.search]


def store_secrets(
    keys: dict[str, dict[str, str]], admin: dict[str, str], endpoint: str, namespaces: Namespaces
) -> list[dict[str, Any]]:
    """Return one Secret per identity for the pods, and two for setting up the store.

    Args:
        keys: keys of each identity.
        admin: the administrator's keys.
        endpoint: the store's address, which pods need besides their keys.
        namespaces: where the Secrets go.
    """
    of_all: dict[str, str] = {}
    for name, pair in keys.items():
        of_all[f"{name}.access-key"] = pair[ACCESS_KEY]
        of_all[f"{name}.secret-key"] = pair[SECRET_KEY]
    return [
        *(
            _secret(name, namespace, {**pair, "NASOA_S3_ENDPOINT": endpoint})
            for name, pair in keys.items()
            for namespace in namespaces.of(name)
        ),
        _secret(ADMIN, namespaces.store, admin),
        _secret(ALL_IDENTITIES, namespaces.store, of_all),
    ]


def _secret(name: str, namespace: str, values: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "nasoa"},
        },
        "type": "Opaque",
        "stringData": values,
    }


if __name__ == "__main__":
    sys.exit(main())
