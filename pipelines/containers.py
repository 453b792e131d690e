"""Run components in containers on this machine, with the restrictions of a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kfp import local

from nasoa.components.image import IMAGE
from nasoa.errors import InvalidInput
from nasoa.home_path import expanded

# What a step needs from the environment; credentials are passed in no other way.
ENVIRONMENT = (
    "NASOA_S3_ENDPOINT",
    "NASOA_S3_ACCESS_KEY_ID",
    "NASOA_S3_SECRET_ACCESS_KEY",
    "NASOA_S3_SESSION_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
)
# The folders that the image writes to (images/README.md).
WRITABLE = ("/tmp", "/cache")
# For batches from worker processes; the engine's default of 64 MB holds only a few.
SHARED_MEMORY = "1g"
# Limits of one container. Shared memory and files in WRITABLE count as memory; the number of
# processes and threads is what Kubernetes distributions commonly allow a pod.
MEMORY_VARIABLE = "NASOA_CONTAINER_MEMORY"
MEMORY_SHARE = 0.8
LEAST_MEMORY = 256 * 1024**2
PROCESSES = 4096
# Identifies the containers of one run.
RUN_LABEL = "io.nasoa.run"


def reachable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Make local paths among the arguments absolute; containers see them under the same path.

    `store` is a path if it has no scheme; any other text is a path if such a file exists. The
    store's folder is created here, because a container engine would create it as root.

    Raises:
        InvalidInput: the store's folder cannot be created.
    """
    absolute = dict(arguments)
    for key, value in arguments.items():
        if key == "store" and "://" not in value:
            folder = Path(expanded(value)).resolve()
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidInput(
                    f"expected a folder for the store, but {folder}: {error.strerror}; "
                    "name another with --store"
                ) from None
            absolute[key] = str(folder)
        elif isinstance(value, str) and value and _is_path(value):
            absolute[key] = str(Path(expanded(value)).resolve())
    return absolute


def _is_path(text: str) -> bool:
    """Return whether a file or folder has this name; JSON settings can be too long for a name."""
    try:
        return Path(expanded(text)).exists()
    except (OSError, RuntimeError):
        return False


@contextlib.contextmanager
def container_runner(arguments: Mapping[str, Any], outputs: Path) -> Iterator[Any]:
    """Provide a `kfp.local.DockerRunner` for arguments that `reachable` returned.

    KFP leaves a container running when it is interrupted, so remaining containers are removed.

    Args:
        arguments: arguments of the pipeline.
        outputs: folder for KFP's outputs; created, and writable for the container's user.

    Raises:
        InvalidInput: no container engine can be reached, it does not have the image, or
            NASOA_CONTAINER_MEMORY is not a size.
    """
    docker = _engine_package()
    run = outputs.parent.name
    with contextlib.closing(_connected(docker)) as client:
        memory = memory_limit(client.info()["MemTotal"], docker)
        outputs.mkdir(parents=True)
        outputs.chmod(0o777)
        try:
            yield local.DockerRunner(
                labels={RUN_LABEL: run}, **container_settings(arguments, docker, memory)
            )
        finally:
            for left in client.containers.list(filters={"label": f"{RUN_LABEL}={run}"}):
                # It may have ended in the meantime.
                with contextlib.suppress(docker.errors.APIError):
                    left.remove(force=True)


def memory_limit(total_bytes: int, docker: Any) -> int:
    """Return the memory limit of a container in bytes: NASOA_CONTAINER_MEMORY, by default 80 %.

    Args:
        total_bytes: memory of the engine's machine.
        docker: the `docker` package, which reads sizes like 8g.

    Raises:
        InvalidInput: the variable is not a size, or too small to import PyTorch.
    """
    text = os.environ.get(MEMORY_VARIABLE, "")
    if not text:
        return int(MEMORY_SHARE * total_bytes)
    try:
        asked = int(docker.utils.parse_bytes(text))
    except docker.errors.DockerException:
        asked = 0
    if asked < LEAST_MEMORY:
        raise InvalidInput(
            f"expected {MEMORY_VARIABLE} to be a size of at least 256m, like 8g, got {text!r}"
        )
    return asked


def container_settings(
    arguments: Mapping[str, Any], docker: Any, memory_bytes: int
) -> dict[str, Any]:
    """Return the settings of each container, as arguments of the `docker` package.

    The root file system is read-only and all capabilities are dropped. The user is the caller, to
    whom the files of a local store must belong; a caller who is root and has no local store gets
    the image's own user. Memory, without swap, and the number of processes are limited, so that no
    data set and no image exhausts the machine. A caller restricted to some cores (`taskset`)
    restricts its containers to them, too. Local paths among the arguments are mounted at the same
    path, all but the store read-only.
    """
    mounts = [
        docker.types.Mount(target=value, source=value, type="bind", read_only=key != "store")
        for key, value in arguments.items()
        if isinstance(value, str) and os.path.isabs(value) and os.path.exists(value)
    ]
    settings = {
        "environment": engine_environment(),
        "network_mode": "host",  # reaches a store on this machine under the caller's address
        "mounts": mounts,
        "read_only": True,
        "shm_size": SHARED_MEMORY,
        "tmpfs": dict.fromkeys(WRITABLE, "mode=1777"),
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,  # of memory and swap together
        "pids_limit": PROCESSES,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
    }
    if hasattr(os, "sched_getaffinity"):  # only on Linux
        cores = os.sched_getaffinity(0)
        if len(cores) < (os.cpu_count() or 1):
            settings["cpuset_cpus"] = ",".join(map(str, sorted(cores)))
    if os.getuid() != 0 or os.path.isabs(arguments.get("store", "")):
        settings["user"] = f"{os.getuid()}:{os.getgid()}"
    return settings


def engine_environment() -> dict[str, str]:
    """Return the variables of `ENVIRONMENT` that are set."""
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def _engine_package() -> Any:
    try:
        import docker  # noqa: PLC0415  (optional)
    except ImportError:
        raise InvalidInput(
            "expected the Python package docker for --runner docker; pip install 'nasoa[docker]'"
        ) from None
    return docker


def _connected(docker: Any) -> Any:
    """Return a client of a container engine that has the image."""
    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        raise InvalidInput(
            f"expected a container engine for --runner docker: {error}; start dockerd, "
            "or set DOCKER_HOST to its address"
        ) from None
    try:
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        client.close()
        raise InvalidInput(
            f"expected the image {IMAGE} in the container engine; build it with `make image`, "
            "pull it, or name another in NASOA_IMAGE"
        ) from None
    return client
