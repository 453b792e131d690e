"""The environment of a benchmark's results, and how the results are written."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def machine(packages: Sequence[str] = ()) -> dict[str, object]:
    """Return CPU, cores, the versions of Python, of this code, and of some packages."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "nasoa": code_version(),
        **{package: version(package) for package in packages},
    }


@cache
def code_version() -> str:
    """Return the commit of this checkout, with `-dirty` if tracked files differ from it.

    It is that of the first call, as a process keeps the code that it has loaded. Outside a checkout
    it is `unknown`.
    """
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return median and range, to four digits."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def write(result: dict[str, object], path: Path) -> None:
    """Write a result to its file and to standard output."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    path.write_text(text)
    sys.stdout.write(text)
