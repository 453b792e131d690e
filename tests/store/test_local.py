"""A store in a folder: failing disks, other users and killed processes."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import ObjectNotFound, StoreUnavailable
from nasoa.partial_file import PREFIX
from nasoa.store.local import ABANDONED_S, LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o002, 0o664, 0o775), (0o077, 0o600, 0o700)])
def test_permissions_are_those_that_the_umask_leaves(
    store: LocalStore, umask: Callable[[int], int], mask: int, file: int, folder: int
) -> None:
    umask(mask)
    store.put("a/put", b"x")
    store.put_if_absent("a/absent", b"x")
    for name in ("a/put", "a/absent"):
        assert stat.S_IMODE((Path(store.uri) / name).stat().st_mode) == file
    assert stat.S_IMODE((Path(store.uri) / "a").stat().st_mode) == folder


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files are read from /proc")
def test_the_file_and_then_its_folders_are_synced(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []
    sync, link, replace = os.fsync, os.link, os.replace

    def noted(file: int) -> None:
        path = os.readlink(f"/proc/self/fd/{file}")
        synced.append(("partial" if PREFIX in path else Path(path).name, False))
        sync(file)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "link", lambda *p: (synced.append(("link", True)), link(*p)))
    monkeypatch.setattr(os, "replace", lambda *p: (synced.append(("replace", True)), replace(*p)))
    store.put_if_absent("a/b/k", b"x")
    store.put("a/b/k", b"y")
    parent = Path(store.uri).parent.name
    assert [name for name, _ in synced] == [
        *("a", "store", parent, "partial", "link", "b"),
        *("partial", "replace", "b"),
    ]


def test_stale_temporary_files_are_swept_and_others_are_not(store: LocalStore) -> None:
    store.put("a/k", b"x")
    folder = Path(store.uri) / "a"
    stale, at_work = folder / f"{PREFIX}stale", folder / f"{PREFIX}at-work"
    for path in (stale, at_work):
        path.write_bytes(b"half")
    old = time.time() - ABANDONED_S - 60
    os.utime(stale, (old, old))
    os.utime(folder / "k", (old, old))
    assert store.sweep() == 1
    assert sorted(path.name for path in folder.iterdir()) == [at_work.name, "k"]
    assert store.list() == ["a/k"]


def _write_for_ever(folder: Path) -> None:
    store = LocalStore(folder)
    while True:
        store.put("big/k", bytes(20_000_000))


def test_what_a_killed_writer_leaves_is_swept(store: LocalStore) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(20):
        writer = context.Process(target=_write_for_ever, args=(Path(store.uri),))
        writer.start()
        time.sleep(0.1)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        if left := list(Path(store.uri).rglob(f"{PREFIX}*")):
            break
    assert left
    assert store.list() in ([], ["big/k"])
    assert store.sweep(older_than_s=-1) == len(left)
    assert list(Path(store.uri).rglob(f"{PREFIX}*")) == []


CALLS: dict[str, tuple[Any, Callable[[LocalStore], Any]]] = {
    "write": ("fsync", lambda store: store.put("a/k", b"new")),
    "rename": ("replace", lambda store: store.put("a/k", b"new")),
    "link": ("link", lambda store: store.put_if_absent("a/new", b"new")),
    "delete": ("unlink", lambda store: store.delete("a/k")),
}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("call", CALLS)
def test_a_disk_that_fails_is_told_in_one_line_and_nothing_is_torn(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    store.put("a/k", b"old")
    name, work = CALLS[call]

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(StoreUnavailable, match=os.strerror(number)) as error:
            work(store)
    assert "\n" not in str(error.value)
    assert store.get("a/k") == b"old"
    assert store.list() == ["a/k"]
    with pytest.raises(ObjectNotFound):
        store.get("a/new")


def test_a_folder_that_cannot_be_read_is_not_empty(store: LocalStore) -> None:
    """For example, one of another user: its content must not count as missing."""
    store.put("experience/t1.json", b"x")
    if os.getuid() == 0:
        pid = os.fork()
        if pid == 0:
            os.chmod(Path(store.uri) / "experience", 0o700)
            os.setuid(65534)
            try:
                os._exit(0 if _is_refused(store) else 1)
            finally:
                os._exit(2)
        (Path(store.uri)).chmod(0o755)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    else:
        (Path(store.uri) / "experience").chmod(0)
        assert _is_refused(store)


def _is_refused(store: LocalStore) -> bool:
    try:
        store.list("experience/")
    except StoreUnavailable as error:
        return "cannot be read" in str(error)
    return False
