"""The images' locks: part of what was tested, whole, with hashes, and listed for their users."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def read_pins(name: str) -> dict[str, tuple[str, set[str]]]:
    """A lock of constraints/ by name: version and hashes."""
    text = (ROOT / "constraints" / f"{name}.txt").read_text()
    parts = re.split(r"(?m)^([a-z0-9-]+)==(\S+)", text)
    return {
        package: (version, set(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", rest)))
        for package, version, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


@pytest.mark.parametrize("name", ["build", "cpu", "gpu"])
def test_pins_are_those_that_were_tested(name: str) -> None:
    pins, tested = read_pins(name), read_pins("dev")
    own = {"torch"} if name == "cpu" else set()
    assert {package: pins[package] for package in pins.keys() - own} == {
        package: tested[package] for package in pins.keys() - own
    }
    assert all(hashes for _, hashes in pins.values())


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_every_requirement_is_pinned_and_no_tool_is(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # The image serves models, too: examples/serving.
    rows = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    needed = {re.split(r"[^\w-]", row)[0].lower() for row in rows}
    pins = read_pins(name)
    assert needed - pins.keys() == ({"torchvision"} if name == "cpu" else set())
    assert pins.keys().isdisjoint({"pip", "pytest", "mypy", "ruff", "hypothesis"})


def test_the_cpu_lock_has_no_cuda() -> None:
    pins = read_pins("cpu")
    assert pins["torch"][0].endswith("+cpu")
    assert [name for name in pins if re.match(r"nvidia-|cuda-|triton", name)] == []
    assert read_pins("gpu").keys() > pins.keys()


@pytest.mark.slow
def test_the_bill_of_materials_lists_all_with_their_hashes() -> None:
    # The environment is this one, so it is not set up again.
    subprocess.run(["make", "--old-file=venv", "sbom", f"VENV={sys.prefix}"], cwd=ROOT, check=True)
    for name in ("cpu", "gpu"):
        bill = json.loads((ROOT / "build" / f"nasoa-{name}.cdx.json").read_text())
        assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "nasoa")
        listed = {
            part["name"]: (
                part["version"],
                {
                    found["content"]
                    for where in part["externalReferences"]
                    for found in where["hashes"]
                },
            )
            for part in bill["components"]
        }
        assert listed == read_pins(name)
