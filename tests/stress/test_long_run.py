"""Hundreds of tasks in one process: memory, descriptors, threads and temporary files stay flat.

NASOA_STRESS_ONLINE says how many tasks (500).
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from nasoa.cli import process_end
from nasoa.steps import run_task as running
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store

DATA = "sklearn:digits:classes=0,1:per_class=20"
MODEL = "ET-NAS-A"
LIMIT = "1s"  # on the step clock
WARM_UP = 8  # tasks in which libraries set up what they keep
# What memory may grow by: the log of the store, and what allocators leave in pieces.
GROWTH_BYTES = 60e6
BYTES_A_TASK = 60e3


@dataclass(frozen=True)
class Held:
    """What this process holds."""

    memory_bytes: int
    descriptors: int
    threads: int
    temporary: int

    @classmethod
    def now(cls, folder: Path) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(
            memory_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
            descriptors=len(os.listdir("/proc/self/fd")),
            threads=threading.active_count(),
            temporary=len(os.listdir(folder)),
        )


def run(count: int, folder: Path, temporary: Path) -> list[Held]:
    """So many tasks of one store, one after another; what was held after each."""
    held = []
    for number in range(count):
        session = TaskSession(open_store(str(folder)), clock="steps", models=[MODEL], threads=1)
        request = running.Request(data=DATA, time_limit=LIMIT, seed=number)
        result = running.run_task(session, request)
        assert result.predictor_version_after == number + 2
        del session
        held.append(Held.now(temporary))
    return held


def check(count: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = folder / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    held = run(count, folder / "store", temporary)
    first, last = held[WARM_UP - 1], held[-1]
    print(json.dumps({"tasks": count, "first": asdict(first), "last": asdict(last)}))  # noqa: T201
    assert last.descriptors <= first.descriptors
    assert last.threads <= first.threads
    assert {one.temporary for one in held} == {0}
    grown = last.memory_bytes - first.memory_bytes
    assert grown < GROWTH_BYTES + BYTES_A_TASK * (count - WARM_UP)
    assert not process_end._owned.is_set()


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_hundreds_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(int(os.environ.get("NASOA_STRESS_ONLINE", "500")), tmp_path, monkeypatch)


@pytest.mark.slow
def test_twenty_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(20, tmp_path, monkeypatch)
