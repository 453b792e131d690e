"""Who works on something: a claim that lives as long as its holder does.

A claim is made with put-if-absent, so of many workers one has it. Its holder writes it anew every
few seconds; who waits and sees it unchanged for a while, by the waiter's own clock, takes it to be
dead and makes the next claim. No clocks of two machines are compared.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from nasoa.errors import AlreadyClaimed, NasoaError, ObjectNotFound
from nasoa.store import listed
from nasoa.store.protocol import ArtifactStore

BEAT_S = 5.0
DEAD_AFTER_S = 30.0
# Of work that a user waits for: shorter, as a limit is running.
SHORT_BEAT_S = 2.0
SHORT_DEAD_AFTER_S = 10.0


@contextmanager
def claim(
    store: ArtifactStore,
    prefix: str,
    done: Callable[[], bool],
    *,
    beat_s: float = BEAT_S,
    dead_after_s: float = DEAD_AFTER_S,
) -> Iterator[bool]:
    """Hold the claim under a prefix, or wait until the work is done: True for the holder.

    Args:
        store: where claims are.
        prefix: of this work's claims.
        done: whether the work is done; asked while another holds the claim.
        beat_s: how often the holder writes the claim.
        dead_after_s: a claim that is not written for so long is dead.
    """
    key = _taken(store, prefix, done, dead_after_s=dead_after_s, poll_s=min(beat_s, 1.0))
    if key is None:
        yield False
        return
    with _beating(store, prefix, key, beat_s):
        # The work may have been done between the look and the claim.
        yield not done()


@contextmanager
def only_holder(
    store: ArtifactStore,
    prefix: str,
    work: str,
    *,
    beat_s: float = SHORT_BEAT_S,
    dead_after_s: float = SHORT_DEAD_AFTER_S,
) -> Iterator[Callable[[], None]]:
    """Hold the claim under a prefix, or refuse where another holder lives.

    That of a process of this machine that has ended is taken over at once, that of another machine
    once it was not written for a while.

    Args:
        store: where claims are.
        prefix: of this work's claims.
        work: what is claimed, for the message.
        beat_s: how often the holder writes the claim.
        dead_after_s: a claim that is not written for so long is dead.

    Yields:
        A function that raises `AlreadyClaimed` if this holder was taken for dead meanwhile.

    Raises:
        AlreadyClaimed: another holder lives; names it.
    """
    watched, since = b"", time.monotonic()
    while True:
        number = max(listed.numbers(store, prefix, ""), default=0)
        content = _content(store, f"{prefix}{number:06d}") if number else b""
        lives = _lives_here(content)
        if lives or (watched and content not in (b"", watched)):
            raise AlreadyClaimed(
                f"{work} is being worked on by {_holder(content)}; wait until it ends, or end it"
            )
        if not content or lives is False or time.monotonic() - since > dead_after_s:
            key = f"{prefix}{number + 1:06d}"
            if _made(store, key):
                break
            watched, since = b"", time.monotonic()
            continue
        watched = content
        time.sleep(min(beat_s, 0.5))

    def check() -> None:
        if max(listed.numbers(store, prefix, ""), default=0) != number + 1:
            raise AlreadyClaimed(
                f"{work} was taken over by another process, as this one stood still"
            )

    with _beating(store, prefix, key, beat_s):
        yield check


def _made(store: ArtifactStore, key: str) -> bool:
    """Make a claim; where that fails, none is left that would outlive the attempt."""
    mark = _mark()
    try:
        return store.put_if_absent(key, mark)
    except NasoaError:
        with suppress(NasoaError):
            if store.get(key) == mark:
                store.delete(key)
        raise


@contextmanager
def _beating(store: ArtifactStore, prefix: str, key: str, beat_s: float) -> Iterator[None]:
    """Write the claim anew every few seconds, and delete it in the end."""
    stop = threading.Event()
    beats = threading.Thread(target=_beat, args=(store, key, stop, beat_s), daemon=True)
    beats.start()
    try:
        yield
    finally:
        stop.set()
        beats.join()
        with suppress(NasoaError):  # a claim that stays dies as it should
            # Not those after it: whoever made one took this holder for dead, and is at work.
            for number in listed.numbers(store, prefix, ""):
                if number <= int(key.removeprefix(prefix)):
                    store.delete(f"{prefix}{number:06d}")


def _taken(
    store: ArtifactStore,
    prefix: str,
    done: Callable[[], bool],
    *,
    dead_after_s: float,
    poll_s: float,
) -> str | None:
    """The key of the claim that this process made; None once the work is done."""
    seen, since = (b"", ""), time.monotonic()
    while not done():
        number = max(listed.numbers(store, prefix, ""), default=0)
        newest = f"{prefix}{number:06d}" if number else ""
        content = _content(store, newest)
        now = time.monotonic()
        if (content, newest) != seen:
            seen, since = (content, newest), now
        if not newest or now - since > dead_after_s:
            key = f"{prefix}{number + 1:06d}"
            if store.put_if_absent(key, _mark()):
                return key
        time.sleep(poll_s)
    return None


def _content(store: ArtifactStore, key: str) -> bytes:
    try:
        return store.get(key) if key else b""
    except ObjectNotFound:
        return b""


def _beat(store: ArtifactStore, key: str, stop: threading.Event, beat_s: float) -> None:
    while not stop.wait(beat_s):
        try:
            store.put(key, _mark())
        except NasoaError:
            continue  # the next beat may come through; if none does, the claim dies as it should


def _mark() -> bytes:
    """What a claim says: a machine and a process, and chance, so that every beat is another."""
    return f"{_machine()} {os.getpid()} {_began(os.getpid())} {secrets.token_hex(8)}".encode()


@cache
def _machine() -> str:
    """The host, and what tells apart machines of one name, and containers on one machine."""
    parts = [platform.node().replace(" ", "_")]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return "|".join(parts)


def _began(process: int) -> str:
    """When a process began, in clock ticks since boot; "" where it has ended, or nothing tells."""
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def _lives_here(content: bytes) -> bool | None:
    """Whether the process of a claim lives; None where it is of another machine."""
    machine, process, began = (*content.decode(errors="replace").split(), "", "", "")[:3]
    if machine != _machine() or not process.isdigit() or not _began(os.getpid()):
        return None
    return began != "" and _began(int(process)) == began


def _holder(content: bytes) -> str:
    machine, process = (*content.decode(errors="replace").split(), "", "")[:2]
    return f"process {process} on {machine.partition('|')[0]}"
