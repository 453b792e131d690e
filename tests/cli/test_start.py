"""Commands that start without libraries that are slow to import."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {
    "kfp",
    "kubernetes",
    "minio",
    "numpy",
    "pandas",
    "PIL",
    "pyarrow",
    "safetensors",
    "scipy",
    "sklearn",
    "statsmodels",
    "timm",
    "torch",
    "torchvision",
}
IMPORTED = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"


def modules_after(code: str) -> set[str]:
    """Return the top-level modules of a new process that ran `code`."""
    text = f"import atexit\natexit.register(lambda: exec({IMPORTED!r}))\n{code}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_package_is_imported_without_them() -> None:
    found = modules_after("import nasoa")
    assert "nasoa" in found
    assert found & HEAVY == set()


@pytest.mark.parametrize(
    "line", ["--help", "--version", "finetune --help", "zoo --help", "search analyse --help"]
)
def test_help_is_printed_without_them(line: str) -> None:
    found = modules_after(f"from nasoa.cli import main\nmain({line.split()!r})")
    assert "nasoa" in found
    assert found & HEAVY == set()


def test_a_network_is_loaded_without_the_compiler_of_torch() -> None:
    """Its import takes two seconds, in every command and every pod."""
    code = (
        "from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo\n"
        "from nasoa.zoo.networks import load_network\n"
        "zoo = packaged_zoo()\n"
        "load_network(zoo.entry(REFERENCE_MODEL), zoo.weights(REFERENCE_MODEL), 5)\n"
        "import sys\n"
        "if 'torch._dynamo' in sys.modules: sys.modules['compiler'] = sys\n"
    )
    found = modules_after(code)
    assert "torch" in found
    assert "compiler" not in found


def test_modules_that_are_imported_are_seen() -> None:
    assert {"numpy"} <= modules_after("import numpy")


def test_choices_that_are_written_down_are_those_of_the_steps() -> None:
    from nasoa.cli import task
    from nasoa.steps import methods, task_session

    assert task.CLOCKS == task_session.CLOCKS
    assert tuple(methods.METHODS) == task.METHODS
    assert task.METHODS[0] == methods.DEFAULT.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
    ],
)
def test_threads_look_for_a_moment_before_they_sleep(given: dict[str, str], expected: str) -> None:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    rest = {name: value for name, value in os.environ.items() if name not in names}
    code = "import os\nimport nasoa.cli\nprint(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=rest | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
