"""Build an image of images/, online or from a wheelhouse, and print its size.

    python scripts/build_image.py cpu --tag registry.example/nasoa:0.1.0
    python scripts/build_image.py cpu --offline --base-image my-python:3.11

With --offline, pip first downloads the wheels of the image's lock into images/wheelhouse with its
own settings, and the build itself has neither a network nor an index.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELHOUSE = ROOT / "images" / "wheelhouse"
KINDS = ("cpu", "gpu")


def version() -> str:
    """Return the library's version, read without importing it."""
    text = (ROOT / "nasoa" / "__init__.py").read_text(encoding="utf-8")
    matched = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if matched is None:
        raise ValueError('expected a line __version__ = "..." in nasoa/__init__.py')
    return matched[1]


def revision() -> str:
    """Return the commit, with `-dirty` if files differ from it; `unknown` outside a checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def fill_wheelhouse(kind: str) -> None:
    """Download what the image's locks pin; pip checks the hashes and downloads nothing twice."""
    WHEELHOUSE.mkdir(exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    for lock in ("build", kind):
        requirements = ROOT / "constraints" / f"{lock}.txt"
        subprocess.run([*pip, "-d", WHEELHOUSE, "-r", requirements], check=True)


def build_command(kind: str, tag: str, arguments: dict[str, str], offline: bool) -> list[str]:
    """Return the command line of the container engine."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    labels = {"VERSION": version(), "REVISION": revision(), "CREATED": now}
    command = ["docker", "build", "--tag", tag, "--file", f"images/{kind}.Dockerfile"]
    if offline:
        command += ["--network", "none", "--build-arg", "PIP_NO_INDEX=1"]
    for name, value in {**labels, **arguments}.items():
        command += ["--build-arg", f"{name}={value}"]
    return [*command, "."]


def main(argv: Sequence[str] | None = None) -> int:
    """Build one image; return the exit code."""
    parser = argparse.ArgumentParser(description="Build an image of images/.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--tag", help="default: nasoa:VERSION, for the GPU nasoa:VERSION-gpu")
    parser.add_argument("--base-image", help="instead of the Dockerfile's BASE_IMAGE")
    parser.add_argument("--python-image", help="instead of the GPU Dockerfile's PYTHON_IMAGE")
    parser.add_argument("--offline", action="store_true", help="from wheels downloaded beforehand")
    given = parser.parse_args(argv)
    tag = given.tag or f"nasoa:{version()}" + ("-gpu" if given.kind == "gpu" else "")
    images = {"BASE_IMAGE": given.base_image, "PYTHON_IMAGE": given.python_image}
    started = time.monotonic()
    if given.offline:
        fill_wheelhouse(given.kind)
    fetched = time.monotonic()
    command = build_command(
        given.kind, tag, {name: image for name, image in images.items() if image}, given.offline
    )
    subprocess.run(command, cwd=ROOT, check=True)
    inspect = ["docker", "image", "inspect", "--format", "{{.Size}}", tag]
    size = int(subprocess.run(inspect, capture_output=True, text=True, check=True).stdout)
    sys.stdout.write(
        f"{tag}: {size / 1e6:.0f} MB, built in {time.monotonic() - fetched:.0f} s after "
        f"{fetched - started:.0f} s for wheels\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
