"""Build all overlays and check them; the built documents go into a folder.

python -m scripts.manifests [--out build/manifests]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from scripts.manifests.bundle import BuildFailed, build, overlays
from scripts.manifests.checks import CHECKS


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a problem; the exit code is 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/manifests"))
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    problems = 0
    for overlay in overlays():
        try:
            bundle = build(overlay)
        except BuildFailed as error:
            sys.stderr.write(f"{error}\n")
            return 1
        target = arguments.out / f"{overlay.name}.yaml"
        target.write_text(yaml.safe_dump_all(bundle.installed, sort_keys=False), encoding="utf-8")
        found = [line for check in CHECKS.values() for line in check(bundle)]
        for line in found:
            sys.stderr.write(f"{overlay.name}: {line}\n")
        problems += len(found)
        state = f"{len(found)} problems" if found else "ok"
        sys.stdout.write(f"{overlay.name}: {len(bundle.installed)} documents, {state}: {target}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
