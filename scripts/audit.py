"""Report known vulnerabilities of the pinned packages.

    python scripts/audit.py PIP_AUDIT

PIP_AUDIT is the program pip-audit. Nothing is installed or resolved, because the locks name every
package. The exit code is 0 if no vulnerability is known, 1 if some are, and 3 if the packages could
not be audited.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints"
# Together they contain every pinned package; the locks of the images are subsets of dev.txt.
LOCKS = ("dev.txt", "audit.txt")
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3
OFFLINE = re.compile(r"Connect\w*Error|Timeout|Max retries|NameResolution|ProxyError|SSLError")


def main(argv: Sequence[str] | None = None) -> int:
    """Audit every lock; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("pip_audit", help="the program pip-audit")
    program = parser.parse_args(argv).pip_audit
    return max(audit(program, CONSTRAINTS / lock) for lock in LOCKS)


def audit(program: str, lock: Path) -> int:
    """Audit one lock, print the result, and return the exit code."""
    shown = f"{lock.parent.name}/{lock.name}"
    command = [program, "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    done = subprocess.run(
        [*command, "--format=json", "--progress-spinner=off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        sys.stdout.write(f"{shown}: not audited: {_reason(done.stderr)}\n")
        return UNKNOWN
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if 2 * len(skipped) > len(packages):
        # A mirror of the index may serve the packages without the data about them.
        sys.stdout.write(
            f"{shown}: not audited: the index has no data about {len(skipped)} of "
            f"{len(packages)} packages; is https://pypi.org a mirror here?\n"
        )
        return UNKNOWN
    found = [package for package in packages if package.get("vulns")]
    for package in found:
        for known in package["vulns"]:
            fixed = ", ".join(known["fix_versions"]) or "no release yet"
            sys.stdout.write(
                f"{shown}: {package['name']} {package['version']}: {known['id']}, "
                f"fixed in {fixed}\n"
            )
    if not found:
        sys.stdout.write(
            f"{shown}: {len(packages) - len(skipped)} packages, no known vulnerabilities\n"
        )
    if skipped:
        sys.stdout.write(f"{shown}: not known to the index: {', '.join(skipped)}\n")
    return VULNERABLE if found else CLEAN


def _reason(said: str) -> str:
    """Return in one line why pip-audit failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it gave no answer"]
    if OFFLINE.search(said):
        return f"its data at https://pypi.org cannot be reached ({lines[-1][:160]})"
    return lines[-1][:300]


if __name__ == "__main__":
    sys.exit(main())
