"""What `make audit` says, and what it says where it cannot tell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts import audit

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}
VULNERABLE = {
    "dependencies": [
        {"name": "a", "version": "1", "vulns": []},
        {
            "name": "pillow",
            "version": "9.0.0",
            "vulns": [{"id": "PYSEC-2023-1", "fix_versions": ["10.0.1"], "aliases": []}],
        },
        {"name": "torch", "skip_reason": "Dependency not found on PyPI"},
    ],
    "fixes": [],
}
# What pip-audit answers if pypi.org is a mirror without data about vulnerabilities.
MIRROR = {
    "dependencies": [
        {"name": "a", "version": "1", "vulns": []},
        *({"name": name, "skip_reason": "Dependency not found on PyPI"} for name in "bc"),
    ],
    "fixes": [],
}
NO_NETWORK = """\
WARNING:pip_audit._cli:something
ERROR:pip_audit._cli:HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded
"""


def program(folder: Path, code: int, said: str, errors: str = "") -> str:
    """A program that answers as pip-audit does, and notes what it was asked in a file `asked`."""
    (folder / "said").write_text(said)
    (folder / "errors").write_text(errors)
    path = folder / "pip-audit"
    lines = ["#!/bin/sh", f"cd {folder}", "echo $* >>asked", "cat said", "cat errors >&2"]
    path.write_text("\n".join([*lines, f"exit {code}", ""]))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("code", "said", "errors", "expected", "line"),
    [
        (0, json.dumps(CLEAN), "", 0, "constraints/dev.txt: 1 packages, no known vulnerabilities"),
        (
            1,
            json.dumps(VULNERABLE),
            "",
            1,
            "constraints/dev.txt: pillow 9.0.0: PYSEC-2023-1, fixed in 10.0.1",
        ),
        (
            0,
            json.dumps(MIRROR),
            "",
            3,
            "constraints/dev.txt: not audited: the index has no data about 2 of 3 packages",
        ),
        (1, "", NO_NETWORK, 3, "not audited: its data at https://pypi.org cannot be reached"),
        (2, "", "usage: pip-audit", 3, "constraints/dev.txt: not audited: usage: pip-audit"),
        (1, "", "", 3, "constraints/dev.txt: not audited: it gave no answer"),
    ],
)
def test_each_outcome(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    code: int,
    said: str,
    errors: str,
    expected: int,
    line: str,
) -> None:
    assert audit.main([program(tmp_path, code, said, errors)]) == expected
    told = capsys.readouterr().out
    assert line in told
    if expected == 1:
        assert "not known to the index: torch" in told
    asked = (tmp_path / "asked").read_text().split()
    assert asked.count("--require-hashes") == len(audit.LOCKS)
    # Whatever is wanted is in the lock, so nothing is resolved or built.
    assert asked.count("--disable-pip") == len(audit.LOCKS)


def test_the_audited_locks_hold_all_others() -> None:
    names = re.compile(r"(?m)^([a-z0-9-]+)==")
    pins = {
        path.name: set(names.findall(path.read_text())) for path in audit.CONSTRAINTS.glob("*.txt")
    }
    audited = set().union(*(pins[name] for name in audit.LOCKS))
    assert {name for lock in pins.values() for name in lock} == audited
    assert "pip-audit" in pins["audit.txt"]


def test_the_tool_is_installed_by_hashes_and_names_no_index() -> None:
    text = (audit.CONSTRAINTS / "audit.txt").read_text()
    parts = re.split(r"(?m)^[a-z0-9-]+==", text)[1:]
    assert len(parts) > 10
    assert all("--hash=sha256:" in part for part in parts)
    assert "://" not in text


def test_make_installs_nothing_without_a_hash() -> None:
    """But for the checkout itself, without dependencies."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install[^;\n]*", makefile)
    assert len(installs) == 3
    own = [command for command in installs if "--require-hashes" not in command]
    assert len(own) == 1
    assert "--no-deps" in own[0]
    assert own[0].split()[-2:] == ["--editable", "."]
