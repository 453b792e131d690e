"""Where torchvision does not import, as in the image for CPUs, what needs it says so in a line."""

from __future__ import annotations

import subprocess
import sys

import pytest

# None in its place makes Python refuse to import it.
HIDDEN = "import sys; sys.modules['torchvision'] = None; from nasoa.cli import main; "
GIVEN = "sys.exit(main(sys.argv[1:]))"


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


def test_all_else_works() -> None:
    code = f"{HIDDEN} sys.exit(main(['zoo', 'list', '--json']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
