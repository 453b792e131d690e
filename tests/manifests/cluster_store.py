"""The store inside the cluster on this machine: its server's arguments, its job's script."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.manifests.bundle import Bundle, Document, namespace_of
from scripts.store_secrets import ALL_IDENTITIES, Namespaces, new_keys, store_secrets
from tests.s3_server import free_ports, weed

BUCKET = "nasoa"
START_S = 60.0
NAMESPACES = Namespaces("kubeflow", "kubeflow", "nasoa-store")
LISTENERS = ("master.port", "volume.port", "filer.port", "s3.port")


def find(bundle: Bundle, kind: str, name: str, namespace: str | None = None) -> Document:
    """The only document of this kind and name (and namespace)."""
    (found,) = (
        document
        for document in bundle.documents
        if (document["kind"], document["metadata"]["name"]) == (kind, name)
        and namespace in (None, namespace_of(document))
    )
    return found


@dataclass
class ClusterStore:
    """A running server and the keys of its identities."""

    folder: Path
    ports: dict[str, int]
    job_environment: dict[str, str]
    keys: dict[str, dict[str, str]]
    admin: dict[str, str]
    endpoint: str = field(init=False)

    def __post_init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{self.ports['s3.port']}"

    def environment(self, identity: str) -> dict[str, str]:
        """Keys for a process outside the cluster; "admin" is the administrator."""
        return {**self._keys(identity), "NASOA_S3_ENDPOINT": self.endpoint}

    def server_environment(self) -> dict[str, str]:
        """The administrator's keys as the server reads them."""
        return self._keys("admin")

    def _keys(self, identity: str) -> dict[str, str]:
        keys = self.admin if identity == "admin" else self.keys[identity]
        return {name.replace("NASOA_S3_", "AWS_"): value for name, value in keys.items()}

    def write_identities(self) -> None:
        """The secret of the bucket job, as the files that it is mounted as."""
        secrets = store_secrets(self.keys, self.admin, self.endpoint, NAMESPACES)
        (of_all,) = (s for s in secrets if s["metadata"]["name"] == ALL_IDENTITIES)
        for name, value in of_all["stringData"].items():
            (self.folder / "identities" / name).write_text(value)

    def create_bucket(self) -> subprocess.CompletedProcess[str]:
        """Run the job's script."""
        self.write_identities()
        addresses = {
            name: f"127.0.0.1:{self.ports[f'{port}.port']}.{self.ports[f'{port}.port.grpc']}"
            for name, port in (("MASTER", "master"), ("FILER", "filer"))
        }
        return subprocess.run(
            ["sh", str(self.folder / "create-bucket.sh")],
            env={
                **self.job_environment,
                **addresses,
                "POLICIES": str(self.folder / "policies"),
                "IDENTITIES": str(self.folder / "identities"),
                "PATH": f"{weed().parent}:{os.environ['PATH']}",
                "HOME": str(self.folder),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@contextlib.contextmanager
def running_store(single_user: Bundle, folder: Path) -> Iterator[ClusterStore]:
    """Start the server as the StatefulSet does, but for addresses, ports and the folder."""
    store = _prepare(single_user, folder)
    stateful_set = find(single_user, "StatefulSet", "seaweedfs")
    (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
    here = ("-ip", "-ip.bind", "-dir", "-metricsPort", "-master.volumeSizeLimitMB")
    arguments = [a for a in container["args"] if a.partition("=")[0] not in here]
    command = [
        *(str(weed()), *arguments, f"-dir={folder / 'data'}", "-ip=127.0.0.1"),
        *("-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0"),
        *(f"-{name}={port}" for name, port in store.ports.items()),
    ]
    with (folder / "weed.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **store.server_environment()},
        )
        try:
            _wait(store, server, folder / "weed.log")
            yield store
        finally:
            # Nothing of it is kept, and an orderly end takes ten seconds.
            server.kill()
            server.wait()


def _prepare(single_user: Bundle, folder: Path) -> ClusterStore:
    """Write what the job mounts."""
    for name in ("policies", "identities", "data"):
        (folder / name).mkdir()
    policies = find(single_user, "ConfigMap", "nasoa-bucket-policies")["data"]
    for name, text in policies.items():
        (folder / "policies" / name).write_text(text)
    script = find(single_user, "ConfigMap", "nasoa-bucket-script")["data"]["create-bucket.sh"]
    (folder / "create-bucket.sh").write_text(script)
    job = find(single_user, "Job", "create-bucket")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    names = [line.split()[0] for line in policies["identities"].splitlines()]
    ports = free_ports(2 * len(LISTENERS) + 1)
    listeners = (*LISTENERS, *(f"{name}.grpc" for name in LISTENERS), "metricsPort")
    return ClusterStore(
        folder=folder,
        ports=dict(zip(listeners, ports, strict=True)),
        job_environment={v["name"]: v["value"] for v in container["env"]},
        keys={name: new_keys() for name in names},
        admin=new_keys(),
    )


def _wait(store: ClusterStore, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until the readiness probe's path answers and the filer does."""
    until = time.monotonic() + START_S
    urls = (f"{store.endpoint}/status", f"http://127.0.0.1:{store.ports['filer.port']}/")
    while server.poll() is None and time.monotonic() < until:
        if all(is_up(url) for url in urls):
            return
        time.sleep(0.2)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def is_up(url: str) -> bool:
    """Whether it answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
