"""A base image with Python 3.11, made of Debian packages where none can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.engine import memory_folder

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
        packed = cached_base()
        if not packed.exists():
            _pack(packed)
        subprocess.run(["docker", "import", packed, TAG], capture_output=True, check=True)
    return TAG


def cached_base() -> Path:
    """Where the base is kept as a tar from one time to the next; delete it for newer packages."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "nasoa" / "e2e-base-bookworm.tar"


def _pack(target: Path) -> None:
    """Make the system, and pack it into a file that is whole or not there."""
    if shutil.which("debootstrap") is None:
        raise BaseUnavailable("debootstrap is not installed; or name an image that has Python 3.11")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        # dpkg waits for the disk after each file, where there is one.
        tempfile.TemporaryDirectory(prefix="nasoa-base-", dir=memory_folder()) as root,
        tempfile.TemporaryDirectory(prefix="nasoa-base-", dir=target.parent) as beside,
    ):
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise BaseUnavailable(f"debootstrap failed: {made.stdout.strip().splitlines()[-1:]}")
        # The packages themselves are not part of the system.
        shutil.rmtree(f"{root}/var/cache/apt/archives")
        whole = Path(beside) / target.name
        pack = ["tar", "-C", root, "-cf", whole, "."]
        packed = subprocess.run(pack, capture_output=True, text=True, check=False)
        if packed.returncode:
            raise BaseUnavailable(f"tar could not pack {root}: {packed.stderr.strip()}")
        whole.rename(target)
