"""Pin the packages of the images: the runtime part of constraints/dev.txt, for CPU and for GPU.

    python scripts/lock_images.py

Run it in an environment that was installed from constraints/dev.txt: requirements of packages are
read from there. Versions and hashes are those of that lock, so the images contain what was tested.
The CPU image has one pin of its own, PyTorch's build without CUDA, which is a tenth of the size of
the other one; its hash comes from the present lock, or from the file that pip finds with its
settings.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints"
# The newest release of the build without CUDA that the end-to-end test can install.
CPU_TORCH = "2.13.0+cpu"
# The usual build cannot be imported beside PyTorch without CUDA, and the other is only on PyTorch's
# index. Networks and data sets of torchvision need the GPU image.
NOT_ON_CPU = {"torchvision"}
# Required only by the CUDA build of PyTorch.
CUDA_ONLY = re.compile(r"nvidia-|cuda-|triton$")
# Installs the rest, and builds what has no wheel.
BUILD_TOOLS = ("pip", "setuptools")
# Beside the dependencies: the image also serves models (examples/serving).
EXTRAS = ("serve",)
HEADER = """\
# Made by `make lock-images` from constraints/dev.txt: what {purpose}.
# For Linux on x86-64 with Python 3.11.
"""


def read_pins(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Read a lock by canonical name: version and `--hash` options."""
    parts = re.split(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"))
    return {
        canonicalize_name(name): (version, re.findall(r"--hash=\S+", rest))
        for name, version, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


def runtime_closure(requirements: list[str]) -> set[str]:
    """Return the names of all direct and indirect requirements."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, of_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        wanted = {(name, extra) for extra in ("", *requirement.extras)} - found
        found |= wanted
        asked = importlib.metadata.requires(name) or [] if wanted else []
        waiting += [(Requirement(text), extra) for _, extra in wanted for text in asked]
    return {name for name, _ in found}


def cpu_torch_hash(lock: Path) -> list[str]:
    """Return the `--hash` option of the CPU build: the present pin's, else that of the file."""
    if lock.exists():
        version, hashes = read_pins(lock)["torch"]
        if version == CPU_TORCH:
            return hashes
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
        if subprocess.run([*command, f"torch=={CPU_TORCH}"], check=False).returncode:
            sys.exit(
                f"expected pip to find torch=={CPU_TORCH}, a build without CUDA; "
                "name an index that has it in PIP_EXTRA_INDEX_URL"
            )
        (wheel,) = Path(folder).iterdir()
        return [f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"]


def write_lock(lock: Path, purpose: str, pins: dict[str, tuple[str, list[str]]]) -> None:
    """Write a requirements file with hashes, sorted by name."""
    lines = [HEADER.format(purpose=purpose)]
    for name, (version, hashes) in sorted(pins.items()):
        lines.append(" \\\n    ".join([f"{name}=={version}", *hashes]) + "\n")
    lock.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Write build.txt, gpu.txt and cpu.txt in constraints/."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = read_pins(CONSTRAINTS / "dev.txt")
    tools = {name: tested[name] for name in BUILD_TOOLS}
    write_lock(CONSTRAINTS / "build.txt", "installs the other locks in an image", tools)
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(text for extra in EXTRAS for text in optional[extra])]
    gpu = {name: tested[name] for name in runtime_closure(wanted)}
    write_lock(CONSTRAINTS / "gpu.txt", "the GPU image installs", gpu)
    cpu_lock = CONSTRAINTS / "cpu.txt"
    left_out = {name for name in gpu if CUDA_ONLY.match(name)} | NOT_ON_CPU
    cpu = {name: pin for name, pin in gpu.items() if name not in left_out}
    cpu["torch"] = (CPU_TORCH, cpu_torch_hash(cpu_lock))
    write_lock(cpu_lock, "the CPU image installs", cpu)


if __name__ == "__main__":
    main()
