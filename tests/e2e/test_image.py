"""The CPU image: what is in it, what is not, and that it runs locked up."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import nasoa

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120, func_only=True)]
ROOT = Path(__file__).resolve().parents[2]
LOCKED_UP = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]


def run(
    image: str, *command: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command in a container as a cluster does, with `options` for the engine."""
    return subprocess.run(
        ["docker", "run", "--rm", *LOCKED_UP, *options, image, *command],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def config(image: str) -> dict[str, Any]:
    """The image's configuration."""
    inspect = ["docker", "image", "inspect", "--format", "{{json .Config}}", image]
    return dict(json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout))


def test_the_user_is_a_number_and_not_root(config: dict[str, Any]) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])


def test_the_labels_say_what_it_is(config: dict[str, Any]) -> None:
    labels = {
        key.removeprefix("org.opencontainers.image."): value
        for key, value in config["Labels"].items()
    }
    assert labels["version"] == nasoa.__version__
    assert re.match(r"[0-9a-f]{40}|unknown", labels["revision"])
    assert labels["base.name"]
    assert re.match(r"\d{4}-\d\d-\d\dT", labels["created"])


def test_its_health_command_passes_locked_up_and_for_any_user(
    image: str, config: dict[str, Any]
) -> None:
    kind, *command = config["Healthcheck"]["Test"]
    assert kind == "CMD"
    writable = ("--tmpfs=/tmp:mode=1777", "--tmpfs=/cache:mode=1777", "--user=54321:0")
    done = run(image, *command, "--json", options=writable)
    assert done.returncode == 0, done.stderr
    assert all(finding["ok"] for finding in json.loads(done.stdout))


def test_a_limit_of_the_cpu_is_seen(image: str) -> None:
    """A limit hides no core, and threads beyond it only wait for each other."""
    code = (
        "import torch; from nasoa.training import hardware; "
        "hardware.use_threads(); print(torch.get_num_threads())"
    )
    done = run(image, "python", "-c", code, options=("--cpus=0.5", "--tmpfs=/tmp:mode=1777"))
    assert done.stdout.strip() == "1", done.stderr


def test_its_health_command_fails_where_nothing_can_be_written(
    image: str, config: dict[str, Any]
) -> None:
    done = run(image, *config["Healthcheck"]["Test"][1:], options=("--tmpfs=/tmp:mode=1777",))
    assert done.returncode == 1
    assert "store" in done.stderr.splitlines()[-1]


def test_no_build_tool_is_left(image: str) -> None:
    tools = "pip pip3 gcc cc g++ make ld as git protoc"
    done = run(image, "sh", "-c", f"for tool in {tools}; do command -v $tool; done; true")
    assert done.stdout == ""
    assert run(image, "python", "-m", "pip", "--version").returncode == 1


def test_it_holds_what_the_lock_pins(image: str) -> None:
    code = (
        "import importlib.metadata as m, json; "
        "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    )
    installed = json.loads(run(image, "/opt/nasoa/bin/python", "-c", code).stdout)
    pinned = re.findall(r"(?m)^(\S+)==(\S+)", (ROOT / "constraints" / "cpu.txt").read_text())
    canonical = {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in installed.items()}
    assert canonical == {**dict(pinned), "nasoa": nasoa.__version__}
