"""The lock of the project installs on every version of Python and system that it is meant for."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")


def test_the_versions_are_those_that_the_metadata_and_make_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minor = "Programming Language :: Python :: 3."
    named = [name.rpartition(" ")[2] for name in project["classifiers"] if name.startswith(minor)]
    assert tuple(named) == VERSIONS
    assert f"VERSIONS := {' '.join(reversed(VERSIONS))}\n" in (ROOT / "Makefile").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_pin_has_a_file_for_it(version: str, platform: str, tmp_path: Path) -> None:
    """All hashes are checked, nothing is installed; without an index, nothing can be told."""
    command = [
        *(str(Path(sys.prefix, "bin", "uv")), "pip", "install", "--dry-run", "--no-config"),
        *("--target", str(tmp_path), "--python-version", version, "--python-platform", platform),
        *("--require-hashes", "--requirements", str(ROOT / "constraints" / "dev.txt")),
    ]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "error sending request" in done.stderr:
        pytest.skip("the index cannot be reached")
    assert done.returncode == 0, done.stderr
    assert "+ torch==" in done.stderr
