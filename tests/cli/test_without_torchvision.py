"""If torchvision cannot be imported, as in the CPU image, what needs it reports it in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# None in `sys.modules` makes Python refuse the import.
HIDDEN = "import sys; sys.modules['torchvision'] = None; from nasoa.cli import main; "
GIVEN = "sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("zoo", "add", "torchvision:resnet18"), "expected torchvision for torchvision:NAME"),
        (("zoo", "add", "resnet18"), "timm:NAME"),
        (
            ("task", "describe", "torchvision:CIFAR10"),
            "expected torchvision for torchvision:CIFAR10",
        ),
    ],
    ids=["a model", "an unknown model", "data"],
)
def test_what_needs_it_says_so(arguments: tuple[str, ...], expected: str, tmp_path: object) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            HIDDEN + GIVEN,
            *arguments,
            "--store",
            f"{tmp_path}/store",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("nasoa: ")
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr


@pytest.mark.slow
def test_models_of_torchvision_are_listed_but_not_offered(tmp_path: Path) -> None:
    listed = _run("zoo", "list", "--json")
    assert {"ET-NAS-A", "mobilenet_v3_small"} <= {entry["name"] for entry in listed}
    data = "sklearn:digits:classes=0,1:per_class=60"
    arguments = ("--time-limit", "30s", "--clock", "steps", "--top", "10000")
    found = _run("recommend", data, *arguments, "--json", "--store", str(tmp_path))
    offered = {candidate["regime"]["model"] for candidate in found["candidates"]}
    lite = {"efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"}
    assert offered
    assert offered <= {"ET-NAS-A", "ET-NAS-B", "ET-NAS-C"} | lite


def _run(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN + GIVEN, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
