"""The Dockerfiles as text: what no build can show, and the GPU's, which few machines can build."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("cpu", "gpu")
Instruction = tuple[str, str]


def instructions(kind: str) -> list[Instruction]:
    """Keyword and argument of each instruction, without comments and line continuations."""
    text = (ROOT / "images" / f"{kind}.Dockerfile").read_text()
    lines = re.sub(r"(?m)^\s*#.*\n", "", text).replace("\\\n", " ").splitlines()
    parsed = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [(keyword, " ".join(rest.split())) for keyword, rest in parsed]


def stages(kind: str) -> list[list[Instruction]]:
    """The instructions of each stage, from its FROM on."""
    found: list[list[Instruction]] = []
    for keyword, rest in instructions(kind):
        if keyword == "FROM":
            found.append([])
        if found:
            found[-1].append((keyword, rest))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_bases_are_arguments_with_a_pinned_tag(kind: str) -> None:
    defaults = dict(
        rest.split("=", 1)
        for keyword, rest in instructions(kind)
        if keyword == "ARG" and "=" in rest
    )
    for stage in stages(kind):
        used = re.match(r"\$\{(\w+_IMAGE)\}", stage[0][1])
        assert used, stage[0]
        assert re.fullmatch(r"[\w./-]+:\d[\w.-]+", defaults[used[1]])


@pytest.mark.parametrize("kind", KINDS)
def test_everything_from_an_index_is_checked_against_hashes(kind: str) -> None:
    installs = [
        command
        for keyword, rest in instructions(kind)
        if keyword == "RUN"
        for command in re.findall(r"pip install[^&]*", rest)
    ]
    assert len(installs) == 3
    own = [command for command in installs if "--require-hashes" not in command]
    assert [("--no-deps" in command, command.split()[-1]) for command in own] == [(True, ".")]
    assert sum(f"constraints/{kind}.txt" in command for command in installs) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_copied_is_let_through_by_dockerignore(kind: str) -> None:
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source.rstrip("/")
        for keyword, rest in instructions(kind)
        if keyword == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert {path for path in copied if not (ROOT / path).exists()} == set()
    assert {path.split("/")[0] if "constraints" in path else path for path in copied} == let_through


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_runs_as_root_and_no_entry_point_takes_the_command(kind: str) -> None:
    final = stages(kind)[-1]
    keywords = [keyword for keyword, _ in final]
    assert dict(final)["USER"] == "10001:10001"
    assert "USER" not in keywords[: keywords.index("WORKDIR")]
    # KFP gives the whole command; an entry point would stand before it.
    assert "ENTRYPOINT" not in keywords
    health = dict(final)["HEALTHCHECK"].split("CMD ")[1]
    assert json.loads(health) == ["nasoa", "doctor", "--check"]


def test_both_are_built_alike() -> None:
    """Their builders differ in the image they start from, the lock, and the GPU's last step."""
    cpu, gpu = (stages(kind)[0] for kind in KINDS)
    renamed = [
        (keyword, rest.replace("gpu.txt", "cpu.txt").replace("PYTHON_IMAGE", "BASE_IMAGE"))
        for keyword, rest in gpu
    ]
    assert renamed[: len(cpu)] == cpu
    assert len(gpu) == len(cpu) + 1
