"""`python -m scripts.manifests`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.manifests.bundle import MANIFESTS, BuildFailed, Bundle, build


def test_an_overlay_that_cannot_be_built(tmp_path: Path, built: dict[str, Bundle]) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(BuildFailed, match=r"absent\.yaml"):
        build(tmp_path)


def test_the_command_writes_and_tells(tmp_path: Path, built: dict[str, Bundle]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.manifests", "--out", str(tmp_path)],
        cwd=MANIFESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(built)
    written = list(yaml.safe_load_all((tmp_path / "local.yaml").read_text()))
    assert written == built["local"].documents
