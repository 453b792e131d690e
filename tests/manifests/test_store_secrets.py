"""Keys for every identity, and no file that holds one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.manifests.bundle import MANIFESTS, Bundle, external_objects
from scripts.manifests.schemas import check
from scripts.store_secrets import IDENTITIES, OF_PEOPLE, new_keys

SCRIPT = MANIFESTS.parent / "scripts" / "store_secrets.py"
ENDPOINT = ("--endpoint", "https://minio.example.com")
MULTI_USER = ("--search-namespace", "nasoa-search")
SINGLE_USER = ("--namespace", "kubeflow")


def run(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env=environment or {},
        capture_output=True,
        text=True,
        check=False,
    )


def secrets_of(folder: Path, *arguments: str, **rest: Any) -> dict[tuple[str, str], dict[str, str]]:
    done = run(folder, *ENDPOINT, *arguments, **rest)
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"]
    assert list(check(Bundle(items))) == []
    return {(i["metadata"]["namespace"], i["metadata"]["name"]): i["stringData"] for i in items}


def test_each_identity_has_keys_of_its_own(tmp_path: Path) -> None:
    made = secrets_of(tmp_path)
    names = [line.split()[0] for line in IDENTITIES.read_text().splitlines()]
    of_all = made["nasoa-store", "nasoa-s3-identities"]
    for name in names:
        namespace = "nasoa-store" if name in OF_PEOPLE else "nasoa"
        assert made[namespace, name] == {
            "NASOA_S3_ENDPOINT": ENDPOINT[1],
            "NASOA_S3_ACCESS_KEY_ID": of_all[f"{name}.access-key"],
            "NASOA_S3_SECRET_ACCESS_KEY": of_all[f"{name}.secret-key"],
        }
    assert len(set(of_all.values())) == len(of_all) == 2 * len(names)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [SINGLE_USER, MULTI_USER, ()])
def test_keys_that_write_data_are_where_no_run_is(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A pod can mount every secret of its namespace."""
    made = secrets_of(tmp_path, *arguments)
    assert {ns for ns, name in made if name == "nasoa-s3-upload"} == {"nasoa-store"}


def test_what_is_declared_external_is_made(tmp_path: Path) -> None:
    """In either mode; but for the pull secret, which is the registry's, and those of tenants."""
    made = {**secrets_of(tmp_path, *MULTI_USER), **secrets_of(tmp_path, *SINGLE_USER)}
    declared = {key: held for key, held in external_objects().items() if key[0] == "Secret"}
    for (_, namespace, name), held in declared.items():
        if name != "nasoa-registry" and "example" not in namespace + name:
            assert held <= set(made[namespace, name])


def test_the_vault_brings_the_same_secrets(tmp_path: Path, built: dict[str, Bundle]) -> None:
    made = {key: set(values) for key, values in secrets_of(tmp_path, *MULTI_USER).items()}
    brought = {
        (d["metadata"]["namespace"], d["spec"]["target"]["name"]): {
            item["secretKey"] for item in d["spec"]["data"]
        }
        for d in built["multi-user-full"].documents
        if d["kind"] == "ExternalSecret"
    }
    assert brought == made


@pytest.mark.parametrize("prefix", ["NASOA_S3_", "AWS_"])
def test_the_administrator_of_an_outside_store(tmp_path: Path, prefix: str) -> None:
    admin = new_keys()
    environment = {name.replace("NASOA_S3_", prefix): value for name, value in admin.items()}
    made = secrets_of(tmp_path, "--admin-from-environment", environment=environment)
    assert made["nasoa-store", "nasoa-s3-admin"] == admin


def test_keys_of_a_search_are_not_where_tasks_run(tmp_path: Path) -> None:
    made = secrets_of(tmp_path, *MULTI_USER)
    of_tasks = {name for namespace, name in made if namespace == "nasoa"}
    of_search = {name for namespace, name in made if namespace == "nasoa-search"}
    assert of_tasks & of_search == {"nasoa-s3-reconcile", "nasoa-s3-record-failure"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--endpoint"),
        (("--endpoint", "minio:9000"), "expected an endpoint like http://host:port"),
        (
            (*ENDPOINT, "--admin-from-environment"),
            "NASOA_S3_ACCESS_KEY_ID and NASOA_S3_SECRET_ACCESS_KEY",
        ),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
