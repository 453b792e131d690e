"""What scripts/tenant.py prints and writes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.manifests.bundle import MANIFESTS, Bundle
from scripts.manifests.schemas import check
from scripts.store_secrets import OF_ALL_RUNS, OF_PEOPLE, OF_TASKS
from scripts.tenant import POLICIES, tenant_of

ROOT = MANIFESTS.parent
ENDPOINT = ("--endpoint", "https://minio.example.com")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.tenant", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def printed(*arguments: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"]
    assert list(check(Bundle(items))) == []
    return {
        (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]): item
        for item in items
    }


def test_a_cluster_gets_policies_and_keys() -> None:
    made = printed("alice", *ENDPOINT)
    config = made.pop(("ConfigMap", "nasoa-store", "nasoa-tenant-alice"))["data"]
    of_all = made.pop(("Secret", "nasoa-store", "nasoa-tenant-alice"))["stringData"]
    # No pod of a run may mount the keys with which people write data.
    upload = made.pop(("Secret", "nasoa-store", "nasoa-tenant-alice-upload"))
    assert {name for _, _, name in made} == OF_TASKS | OF_ALL_RUNS
    assert {namespace for _, namespace, _ in made} == {"nasoa-alice"}
    secrets = {name: secret for (_, _, name), secret in made.items()}
    secrets |= dict.fromkeys(OF_PEOPLE, upload)
    for name, secret in secrets.items():
        assert secret["stringData"] == {
            "NASOA_S3_ENDPOINT": ENDPOINT[1],
            "NASOA_S3_ACCESS_KEY_ID": of_all[f"alice_{name}.access-key"],
            "NASOA_S3_SECRET_ACCESS_KEY": of_all[f"alice_{name}.secret-key"],
        }
    assert len(set(of_all.values())) == len(of_all) == 2 * len(secrets)
    assert config["buckets.alice"] == "nasoa-tenants\n"
    rows = [line.split() for line in config["identities.alice"].splitlines()]
    assert {row[0] for row in rows} == {f"alice_{name}" for name in secrets}
    assert {f"{policy}.json" for _, *policies in rows for policy in policies} == {
        name for name in config if name.endswith(".json")
    }
    assert not [value for value in of_all.values() if value in json.dumps(config)]


@pytest.mark.parametrize(
    ("store", "arns", "prefix"),
    [
        ("", "arn:aws:s3:::nasoa-tenants/alice/", "alice/"),
        ("s3://nasoa-alice", "arn:aws:s3:::nasoa-alice/", ""),
        ("s3://nasoa-alice/", "arn:aws:s3:::nasoa-alice/", ""),
        ("s3://shared/a-1/", "arn:aws:s3:::shared/a-1/", "a-1/"),
    ],
)
def test_policies_are_those_of_components_within_the_tenant_s_store(
    store: str, arns: str, prefix: str
) -> None:
    tenant = tenant_of("alice", store)
    for name, policy in tenant.policies().items():
        original = json.loads((POLICIES / f"{name.removeprefix('alice_')}.json").read_text())
        for made, given in zip(policy["Statement"], original["Statement"], strict=True):
            assert made["Action"] == given["Action"]
            of_bucket = f"arn:aws:s3:::{tenant.bucket}"
            for arn, before in zip(made["Resource"], given["Resource"], strict=True):
                key = before.removeprefix("arn:aws:s3:::nasoa").removeprefix("/")
                assert arn == (arns + key if key else of_bucket)
            # What a right to the whole bucket would be, listing, is kept to the prefix.
            if "s3:ListBucket" in made["Action"]:
                patterns = made["Condition"]["StringLike"]["s3:prefix"]
                assert patterns == [
                    prefix + pattern for pattern in given["Condition"]["StringLike"]["s3:prefix"]
                ]
            else:
                assert "Condition" not in given


def test_files_are_for_whoever_made_them_alone(tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    done = run("alice", "--output", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.parent.name == "identities"} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = run("alice", "--output", folder)
    assert again.returncode == 2
    assert "expected a new folder for --output" in again.stderr


def test_minio_is_asked_for_each_policy_and_identity(tmp_path: Path) -> None:
    """The job's own script, with a client that notes what it is asked."""
    run("alice", "--output", tmp_path / "alice")
    client = tmp_path / "bin" / "mc"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\necho "$*" >>"{tmp_path}/asked"\n')
    client.chmod(0o755)
    done = subprocess.run(
        ["sh", MANIFESTS / "components" / "minio" / "create-bucket.sh"],
        env={
            "PATH": f"{client.parent}:{os.environ['PATH']}",
            "ENDPOINT": ENDPOINT[1],
            "ADMIN_ACCESS_KEY": "a",
            "ADMIN_SECRET_KEY": "s",
            "BUCKET": "nasoa-tenants",
            "POLICIES": str(tmp_path / "alice" / "policies"),
            "IDENTITIES": str(tmp_path / "alice" / "identities"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    tenant = tenant_of("alice", "")
    assert f"mb --ignore-existing store/{tenant.bucket}" in asked
    for name in tenant.policies():
        assert [
            line for line in asked if line.startswith(f"admin policy create store nasoa-{name} ")
        ]
    for identity, (_, policies) in tenant.identities().items():
        key = (tmp_path / "alice" / "identities" / f"{identity}.access-key").read_text()
        for policy in policies:
            assert f"admin policy attach store nasoa-{policy} --user {key}" in asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alice",), "expected an endpoint like http://host:port, or --output"),
        (("alice", "--endpoint", "minio:9000"), "expected an endpoint like"),
        (("Alice", *ENDPOINT), "expected a name of at most 40 lower-case letters"),
        (("alice", *ENDPOINT, "--store", "s3://nasoa/alice"), "expected a bucket for tenants"),
        (
            ("alice", *ENDPOINT, "--store", "alice"),
            "expected a store like s3://nasoa-tenants/alice",
        ),
    ],
)
def test_bad_input(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
