"""The engine, the image and the pipelines that the end-to-end tests use.

They run only when asked for: `make e2e`, or `pytest -m e2e`. How long the parts of their
preparation take stands at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.base_image import BaseUnavailable, base_image
from tests.e2e.engine import EngineUnavailable, container_engine

ROOT = Path(__file__).resolve().parents[2]
TAG = "nasoa:e2e"
RunPipeline = Callable[..., dict[str, Any]]
_told: list[str] = []


@contextlib.contextmanager
def timed(part: str) -> Iterator[None]:
    """Tell how long it took, in the summary."""
    started = time.monotonic()
    yield
    _told.append(f"{part}: {time.monotonic() - started:.0f} s")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _told:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """A container engine; DOCKER_HOST leads to it."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            with container_engine() as address:
                patch.setenv("DOCKER_HOST", address)
                yield address
        except EngineUnavailable as reason:
            pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(engine: str) -> str:
    """The CPU image, built offline; NASOA_E2E_IMAGE names one that is there already."""
    named = os.environ.get("NASOA_E2E_IMAGE")
    if named:
        return named
    try:
        with timed("base"):
            base = base_image()
    except BaseUnavailable as reason:
        pytest.skip(str(reason))
    command = [sys.executable, "scripts/build_image.py", "cpu", "--offline"]
    with timed("wheels and image"):
        built = subprocess.run(
            [*command, "--tag", TAG, "--base-image", base],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert built.returncode == 0, f"{built.stdout[-3000:]}\n{built.stderr[-3000:]}"
    _told.append(built.stdout.splitlines()[-1])
    return TAG


@pytest.fixture
def run_pipeline(image: str, s3_environment: Any, one_core: None, tmp_path: Path) -> RunPipeline:
    """Run a pipeline of the catalogue in containers, as a user would; gives its JSON result."""

    def run(name: str, store: str, **parameters: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "nasoa", "pipeline", "run", name, "--runner", "docker"]
        for key, value in parameters.items():
            command += ["-p", f"{key}={value}"]
        process = subprocess.Popen(
            [*command, "--store", store, "--json"],
            cwd=tmp_path,
            env=os.environ | {"NASOA_IMAGE": image, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                output, said = process.communicate()
            except BaseException:
                process.send_signal(signal.SIGINT)  # so that it removes its containers
                raise
        assert process.returncode == 0, said
        return dict(json.loads(output))

    return run
