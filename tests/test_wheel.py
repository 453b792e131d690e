"""The wheel alone, without a network, in a new user's home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DIGITS = "sklearn:digits:classes=0,1,2,3,4"
MOST_WEIGHTS_MB = 60
NO_NETWORK = ("unshare", "--net", "--map-root-user")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows, so that nothing of an earlier build gets in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name, follow_symlinks=False)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def nasoa(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a new environment with the wheel; what it depends on is that of this one."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(folder), "install", "-q"]
    subprocess.run(
        [*install, "--no-index", "--no-deps", "--ignore-installed", str(wheel)], check=True
    )
    return folder / "bin" / "nasoa"


def offline(nasoa: Path, home: Path, *arguments: str) -> str:
    """What a command prints, in a namespace that has no network but its own loopback."""
    if (
        shutil.which("unshare") is None
        or subprocess.run([*NO_NETWORK, "true"], check=False).returncode
    ):
        pytest.skip("a namespace without a network cannot be made here")
    command = [*NO_NETWORK, str(nasoa), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    ended = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_the_first_minute_of_a_new_user(nasoa: Path, tmp_path: Path) -> None:
    place = subprocess.run(
        [nasoa.with_name("python"), "-c", "import nasoa; print(nasoa.__file__)"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert Path(place.stdout.strip()).is_relative_to(nasoa.parents[1])

    found = json.loads(offline(nasoa, tmp_path, "doctor", "--json"))
    assert all(finding["ok"] for finding in found)

    start = time.monotonic()
    recommended = json.loads(
        offline(nasoa, tmp_path, "recommend", DIGITS, "--time-limit", "20s", "--json")
    )
    assert time.monotonic() - start < 10
    assert recommended["predictor_version"] == 1
    assert recommended["num_experiences"] > 0

    result = json.loads(
        offline(nasoa, tmp_path, "finetune", DIGITS, "--time-limit", "15s", "--json")
    )
    assert result["elapsed_s"] <= 15
    assert result["accuracy"] > 0.8
    assert result["predictor_version_before"] == 1
    assert result["predictor_version_after"] == 2


@pytest.mark.slow
def test_photographs_that_nothing_was_tuned_for(nasoa: Path, tmp_path: Path, shared: Path) -> None:
    data = str(shared / "data" / "flowers5.zip")
    result = json.loads(offline(nasoa, tmp_path, "finetune", data, "--time-limit", "30s", "--json"))
    assert result["elapsed_s"] <= 30
    # Five kinds, so .2 by chance; the starter's benchmark has .77 to .81.
    assert result["accuracy"] > 0.65


def test_what_the_wheel_carries(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    weights = {name: size for name, size in sizes.items() if name.endswith(".safetensors")}
    assert {f"nasoa/zoo/weights/ET-NAS-{letter}.safetensors" for letter in "ABC"} <= set(weights)
    assert sum(weights.values()) < MOST_WEIGHTS_MB * 1e6
    assert not [name for name in sizes if name.startswith(("tests", "benchmarks", "scripts"))]
