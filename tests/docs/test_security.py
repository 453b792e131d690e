"""What docs/security.md tells you to type exists, and what it names is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from nasoa.cli.main import build_parser
from scripts.store_secrets import IDENTITIES, OF_ALL_RUNS, OF_PEOPLE, OF_TASKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
TEXT = PAGE.read_text(encoding="utf-8")
# Lines to type; one that continues ends in a backslash.
LINES = [
    line.strip() for line in re.sub(r"\\\n +", "", TEXT).splitlines() if re.match(r" {4,}\S", line)
]
QUOTED = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", TEXT)]


def slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("line", [line for line in LINES if re.match(r"nasoa [a-z]", line)])
def test_each_command_parses(line: str) -> None:
    build_parser().parse_args(shlex.split(line)[1:])


def test_each_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert len(links) >= 12
    for link in links:
        path, _, anchor = link.partition("#")
        page = (PAGE.parent / path).resolve() if path else PAGE
        assert page.exists(), link
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
            assert anchor in {slug(heading) for heading in headings}, link


def test_each_path_is_there() -> None:
    found = set(re.findall(r"(?<![\w/.-])((?:manifests|scripts|tests|docs)/[\w./-]*\w)", TEXT))
    named = {path for path in found if "alice" not in path}
    assert len(named) >= 8
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_each_module_and_target_is_there() -> None:
    modules = set(re.findall(r"python -m ([\w.]+)", TEXT))
    assert {"scripts.tenant", "nasoa.training.torchrun"} <= modules
    for module in modules:
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()
    rules = set(re.findall(r"(?m)^([a-z][\w-]*):", (ROOT / "Makefile").read_text()))
    targets = {code.split()[1] for code in QUOTED if code.startswith("make ")}
    assert targets == {"venv", "audit", "sbom"}
    assert targets <= rules


def test_the_roles_have_the_identities_that_there_are() -> None:
    (table,) = re.findall(r"(?s)\| role \|.*?\n\n", TEXT)
    components = {
        line.split()[0].removeprefix("nasoa-s3-")
        for line in IDENTITIES.read_text(encoding="utf-8").splitlines()
    }
    rows = [row.split("|")[2:4] for row in table.splitlines()[2:] if row.startswith("|")]
    named = {name for identities, _ in rows for name in re.findall(r"`([\w-]+)`", identities)}
    assert named == components
    of_tenants = {
        name
        for identities, store in rows
        if "the tenant's" in store
        for name in re.findall(r"`([\w-]+)`", identities)
    }
    known = OF_TASKS | OF_ALL_RUNS | OF_PEOPLE
    assert of_tenants == {name.removeprefix("nasoa-s3-") for name in known}


def test_names_of_the_example_are_those_of_the_manifests() -> None:
    """The three edits of the guide leave no name of the example in a copy."""
    example = ROOT / "manifests" / "tenants" / "example"
    texts = {path: path.read_text() for path in sorted(example.rglob("*")) if path.is_file()}
    profile = texts[example / "profile.yaml"]
    assert profile.count("example@example.com") == 2
    edited = [
        text.replace("example@example.com", "alice@your.domain").replace("example", "alice")
        for text in texts.values()
    ]
    whole = "\n".join(edited)
    assert "example" not in whole
    for name in ("nasoa-alice", "nasoa-tenant-alice", "s3://nasoa-tenants/alice"):
        assert name in whole
