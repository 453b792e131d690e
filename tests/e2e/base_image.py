"""A base image with Python 3.11, made of Debian packages where none can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

TAG = "nasoa-e2e-base:bookworm"
# venv brings the pip with which the Dockerfile's builder begins.
PACKAGES = "python3,python3-venv"


class BaseUnavailable(Exception):
    """No base image can be had; says why."""


def base_image() -> str:
    """The name of a base image in the engine: NASOA_E2E_BASE_IMAGE, or Debian's bookworm.

    Raises:
        BaseUnavailable: nothing to make one with.
    """
    named = os.environ.get("NASOA_E2E_BASE_IMAGE")
    if named:
        return named
    inspect = ["docker", "image", "inspect", TAG]
    if subprocess.run(inspect, capture_output=True, check=False).returncode:
        _make()
    return TAG


def _make() -> None:
    if shutil.which("debootstrap") is None:
        raise BaseUnavailable("debootstrap is not installed; or name an image that has Python 3.11")
    with tempfile.TemporaryDirectory(prefix="nasoa-base-") as root:
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise BaseUnavailable(f"debootstrap failed: {made.stdout.strip().splitlines()[-1:]}")
        # The packages themselves are not part of the system.
        shutil.rmtree(f"{root}/var/cache/apt/archives")
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as packed:
            subprocess.run(
                ["docker", "import", "-", TAG], stdin=packed.stdout, capture_output=True, check=True
            )
        if packed.returncode:
            raise BaseUnavailable(f"tar could not pack {root}")
