"""The project's own papers agree with each other: versions, pins, dependencies, the wheel."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import nasoa

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("nasoa", "components", "pipelines")
LOCK = ROOT / "constraints" / "dev.txt"


def canonical(name: str) -> str:
    """The name of a distribution as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    matched = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert matched, f"not a requirement: {requirement!r}"
    return canonical(matched.group())


def project_table() -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def declared(*, with_extras: bool) -> dict[str, str]:
    """Requirements of pyproject.toml by canonical name; the extra `dev` only with all others."""
    table = project_table()
    extras = table["optional-dependencies"]
    assert isinstance(extras, dict)
    rows = list(table["dependencies"])  # type: ignore[call-overload]
    for extra, requirements in extras.items():
        if with_extras or extra != "dev":
            rows += requirements
    return {requirement_name(row): row for row in rows}


def pins() -> dict[str, tuple[str, str]]:
    """The lock by canonical name: version, and what follows it up to the next pin."""
    parts = re.split(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", LOCK.read_text())
    return {
        canonical(name): (version, rest)
        for name, version, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


def test_changelog_starts_with_the_version() -> None:
    versions = re.findall(r"(?m)^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text())
    assert versions[0] == nasoa.__version__


def test_every_pin_has_a_hash() -> None:
    assert len(pins()) > 50
    assert [name for name, (_, rest) in pins().items() if "--hash=sha256:" not in rest] == []


def test_the_lock_names_no_index() -> None:
    lines = LOCK.read_text().splitlines()
    assert [line for line in lines if line.startswith("-") or "://" in line or " @ " in line] == []


def test_the_lock_pins_every_requirement() -> None:
    assert set(declared(with_extras=True)) - set(pins()) == set()


def test_requirements_are_ranges_that_the_pins_meet() -> None:
    """A user's environment has other packages to satisfy; exact versions stand in the lock."""
    for name, row in declared(with_extras=True).items():
        specifiers = Requirement(row).specifier
        assert specifiers.contains(pins()[name][0], prereleases=True), row
        assert {s.operator for s in specifiers} <= {">=", "<", "!="}, row


def third_party_imports() -> dict[str, str]:
    """Every top-level name that the package imports, with one file that does."""
    found: dict[str, str] = {}
    for path in (path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                found.setdefault(name.split(".")[0], str(path.relative_to(ROOT)))
    return {
        name: path
        for name, path in found.items()
        if name not in sys.stdlib_module_names and name != "nasoa"
    }


def test_every_import_is_declared() -> None:
    distributions = packages_distributions()
    allowed = declared(with_extras=False)
    undeclared = {
        name: path
        for name, path in third_party_imports().items()
        if not {canonical(row) for row in distributions.get(name, [name])} & set(allowed)
    }
    assert undeclared == {}


def test_the_wheel_carries_all_modules_and_data(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (*SOURCES, "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(source, copy)
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", tmp_path, copy], check=True, stdin=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("nasoa-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in ("nasoa", "nasoa/components", "nasoa/pipelines")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - packed == set()


def tracked_text() -> dict[str, str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: which files are the project's cannot be told")
    texts: dict[str, str] = {}
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file() and not path.is_symlink():
            raw = path.read_bytes()
            if b"\0" not in raw:
                texts[name] = raw.decode()
    return texts


def test_no_file_names_a_place_on_one_machine() -> None:
    place = re.compile(r"(?<![\w.:/-])/(?:home|root|work)/\w+|file:///")
    found = {
        f"{name}: {match.group()}"
        for name, text in tracked_text().items()
        for match in place.finditer(text)
        if name != "tests/test_project.py"
    }
    assert found == set()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_takes_the_newest_python_that_can_make_environments(tmp_path: Path) -> None:
    """Debian's Python has no ensurepip, and pyenv leaves commands that do not run."""
    for version, code in (("3.14", 127), ("3.13", 1), ("3.12", 0), ("3.11", 0)):
        python = tmp_path / f"python{version}"
        refused = f'case "$2" in *ensurepip*) exit {code};; esac'
        python.write_text(f"#!/bin/sh\n{refused}\nexit {code if code == 127 else 0}\n")
        python.chmod(0o755)
    own = tmp_path / "Makefile"
    own.write_text(f"include {ROOT / 'Makefile'}\nshown:\n\t@echo '$(PYTHON)'\n")

    def shown(*variables: str) -> str:
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "MAKEFLAGS")}
        done = subprocess.run(
            ["make", "--no-print-directory", "-f", str(own), "shown", *variables],
            cwd=ROOT,
            env={**environment, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert shown() == "python3.12\n"
    assert shown("PYTHON=python3.11") == "python3.11\n"
