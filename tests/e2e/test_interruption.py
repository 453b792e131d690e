"""A run in containers that is interrupted leaves nothing running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from nasoa.pipelines.containers import RUN_LABEL

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120, func_only=True)]
ROOT = Path(__file__).resolve().parents[2]


def test_an_interrupted_run_leaves_no_container(image: str, s3_environment: Any) -> None:
    # What runs in the background ignores the signal, and so would its children.
    command = ["env", "--default-signal=INT"]
    command += [sys.executable, "-m", "nasoa", "pipeline", "run", "finetune-task"]
    command += ["--runner", "docker", "-p", "data=sklearn:digits", "--store", "s3://nasoa/stopped"]
    environment = os.environ | {"NASOA_IMAGE": image, "PYTHONPATH": str(ROOT)}
    with contextlib.closing(docker.from_env()) as client:

        def running() -> list[Any]:
            return list(client.containers.list(filters={"label": RUN_LABEL}))

        assert running() == []
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while not running():
                assert process.poll() is None
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
        assert process.returncode == 1
        assert "interrupted" in said
        assert running() == []
