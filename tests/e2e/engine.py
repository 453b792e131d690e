"""A container engine for the end-to-end tests: the one that runs, or one of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 60.0
STOP_S = 30.0
MEMORY = Path("/dev/shm")
# An image's layers are written, packed, unpacked and at last removed: six gigabytes, which a busy
# disk takes minutes for. The rest of what is free is for the containers themselves.
NEEDED_BYTES = 12 * 1024**3


class EngineUnavailable(Exception):
    """No container engine runs, and none can be started; says why."""


@contextlib.contextmanager
def container_engine() -> Iterator[str]:
    """The address of a container engine, in the form of DOCKER_HOST.

    One that is started here keeps everything in a temporary folder (in memory, where there is
    plenty), has no bridge and leaves the machine's firewall alone: containers use the machine's
    network, or none.

    Raises:
        EngineUnavailable: there is none to be had.
    """
    if shutil.which("docker") is None:
        raise EngineUnavailable("the command docker is not installed (Debian: docker.io)")
    reached = _reached()
    if reached is not None:
        yield reached
        return
    if shutil.which("dockerd") is None:
        raise EngineUnavailable("no engine runs, and dockerd is not installed (Debian: docker.io)")
    if os.getuid() != 0:
        raise EngineUnavailable("no engine runs, and only root can start dockerd")
    with (
        tempfile.TemporaryDirectory(prefix="nasoa-engine-", dir=memory_folder()) as folder,
        _started(Path(folder)) as address,
    ):
        yield address


def memory_folder() -> Path | None:
    """Where files are kept in memory if enough of it is free, else None, for the usual place."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < NEEDED_BYTES:
        return None
    sizes = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available_bytes = int(sizes["MemAvailable"].split()[0]) * 1024
    return MEMORY if available_bytes >= NEEDED_BYTES else None


def _reached() -> str | None:
    """The engine that the environment and docker's context lead to, if one answers."""
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False
    )
    if asked.returncode:
        return None
    endpoint = "{{.Endpoints.docker.Host}}"
    context = ["docker", "context", "inspect", "--format", endpoint]
    named = subprocess.run(context, capture_output=True, text=True, check=False).stdout.strip()
    return os.environ.get("DOCKER_HOST") or named or "unix:///var/run/docker.sock"


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[str]:
    address = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--host", address, "--pidfile", f"{folder}/pid"]
    command += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    command += ["--bridge", "none", "--iptables=false"]
    log = folder / "dockerd.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _await(server, address, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        _unmount_below(folder)


def _unmount_below(folder: Path) -> None:
    """Undo what an engine leaves mounted, so that its folder can be removed."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", place], check=True)


def _await(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_S
    command = ["docker", "--host", address, "version"]
    while subprocess.run(command, capture_output=True, check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise EngineUnavailable(f"dockerd does not start here: {' '.join(last)}")
        time.sleep(0.2)
