"""Memory that is left on the machine and in a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasoa import free_memory
from nasoa.free_memory import budget_bytes, free_bytes

MB = 2**20


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    text = f"MemTotal: {64 * 1024} kB\nMemFree: 5 kB\nMemAvailable:  {32 * 1024} kB\n"
    return write(tmp_path, {"meminfo": text}) / "meminfo"


def test_without_a_container_it_is_that_of_the_machine(meminfo: Path, tmp_path: Path) -> None:
    assert free_bytes(meminfo, tmp_path / "none") == 32 * MB
    without_limit = write(tmp_path / "group", {"memory.max": "max\n", "memory.current": "5\n"})
    assert free_bytes(meminfo, without_limit) == 32 * MB


@pytest.mark.parametrize(
    "names",
    free_memory.FILES,
    ids=["version 2", "version 1"],
)
def test_a_container_has_less(names: tuple[str, str, str], meminfo: Path, tmp_path: Path) -> None:
    limit, used, counters = names
    group = write(
        tmp_path / "group",
        {
            limit: f"{20 * MB}\n",
            used: f"{15 * MB}\n",
            counters: f"anon 1\ninactive_file {4 * MB}\n",
        },
    )
    assert free_bytes(meminfo, group) == 9 * MB
    (group / used).write_text(f"{40 * MB}\n")
    assert free_bytes(meminfo, group) == 0


def test_a_system_that_says_nothing_sets_no_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert free_bytes(tmp_path / "none", tmp_path / "none") is None
    damaged = write(tmp_path, {"meminfo": "MemAvailable: much\nMemAvailable:\n"}) / "meminfo"
    assert free_bytes(damaged, tmp_path / "none") is None
    monkeypatch.setattr(free_memory, "free_bytes", lambda: None)
    assert budget_bytes(7 * MB, 0.25) == 7 * MB
    monkeypatch.setattr(free_memory, "free_bytes", lambda: 8 * MB)
    assert budget_bytes(7 * MB, 0.25) == 2 * MB


def test_this_system_says_it() -> None:
    found = free_bytes()
    assert found is None or 0 < found < 2**50
