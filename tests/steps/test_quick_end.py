"""The process of a step ends without finalization, with all that it has to do and its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Objects of a module are finalized late, after exit functions.
STEP = """
import atexit, sys
from nasoa.steps.quick_end import end_quickly

class Object:
    def __del__(self):
        sys.stderr.write("finalized")

kept = Object()
atexit.register(print, "exit function")
end_quickly()
sys.stdout.write("output, ")
"""


@pytest.mark.parametrize(
    ("module", "then", "code", "err"),
    [
        ("kfp/dsl/executor_main", "", 0, ""),
        ("kfp/dsl/executor_main", "raise OSError('full')", 1, "OSError: full"),
        ("other", "", 0, "finalized"),
    ],
)
def test_only_the_process_of_a_step_ends_quickly(
    tmp_path: Path, module: str, then: str, code: int, err: str
) -> None:
    """`kfp` is a package of this test's own, which is found before the real one."""
    path = tmp_path / f"{module}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(tmp_path).parents:
        (tmp_path / folder / "__init__.py").touch()
    path.write_text(STEP + then)
    done = subprocess.run(
        [sys.executable, "-m", module.replace("/", ".")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert done.stdout == "output, exit function\n"
    assert done.stderr.splitlines()[-1:] == ([err] if err else [])
