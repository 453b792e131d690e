"""Claims: leases by which one of several workers gets a piece of work.

A claim is made with put-if-absent, so only one worker gets it. Its holder rewrites it every few
seconds (a beat). A waiting worker that sees a claim unchanged for a while, by its own clock,
considers the holder dead and makes the next claim. Clocks of different machines are never compared.
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
from nasoa.store import listing
from nasoa.store.protocol import ArtifactStore

BEAT_S = 5.0
DEAD_AFTER_S = 30.0
# Shorter, for work that a user waits for with a running time limit.
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
    """Hold the claim under a prefix, or wait until another holder has done the work.

    Args:
        store: store of the claims.
        prefix: prefix of this work's claims.
        done: returns whether the work is done; called repeatedly.
        beat_s: interval in seconds at which the holder rewrites the claim.
        dead_after_s: seconds without a beat after which a holder is considered dead.

    Yields:
        Whether this process has to do the work.
    """
    key = _taken(store, prefix, done, dead_after_s=dead_after_s, poll_s=min(beat_s, 1.0))
    if key is None:
        yield False
        return
    with _beating(store, prefix, key, beat_s):
        # The work may have been done between the check and the claim.
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
    """Hold the claim under a prefix, or raise if another holder is alive.

    The claim of a process on this machine that has ended is taken over at once, one of another
    machine when it has not been rewritten for a while.

    Args:
        store: store of the claims.
        prefix: prefix of this work's claims.
        work: description of the work, for messages.
        beat_s: interval in seconds at which the holder rewrites the claim.
        dead_after_s: seconds without a beat after which a holder is considered dead.

    Yields:
        A function that raises `AlreadyClaimed` if another process has taken over the claim.

    Raises:
        AlreadyClaimed: another holder is alive; the message names it.
    """
    watched, since = b"", time.monotonic()
    while True:
        number = max(listing.numbers(store, prefix, ""), default=0)
        content = _content(store, f"{prefix}{number:06d}") if number else b""
        lives = _lives_here(content)
        if lives or (watched and content not in (b"", watched)):
            raise AlreadyClaimed(
                f"{work} is being worked on by {_holder(content)}; wait until it ends, or stop it"
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
        if max(listing.numbers(store, prefix, ""), default=0) != number + 1:
            raise AlreadyClaimed(
                f"{work} was taken over by another process, as this one did not renew its claim"
            )

    with _beating(store, prefix, key, beat_s):
        yield check


def _made(store: ArtifactStore, key: str) -> bool:
    """Make a claim; if that fails, delete what may have been written all the same."""
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
    """Rewrite the claim every few seconds, and delete it at the end."""
    stop = threading.Event()
    beats = threading.Thread(target=_beat, args=(store, key, stop, beat_s), daemon=True)
    beats.start()
    try:
        yield
    finally:
        stop.set()
        beats.join()
        with suppress(NasoaError):  # a claim that is not deleted expires
            # Not later ones: their holders considered this one dead, and are at work.
            for number in listing.numbers(store, prefix, ""):
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
    """Wait for the claim and return its key, or None once the work is done."""
    seen, since = (b"", ""), time.monotonic()
    while not done():
        number = max(listing.numbers(store, prefix, ""), default=0)
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
            continue  # the next beat may succeed; if none does, the claim expires


def _mark() -> bytes:
    """Return a claim's content: machine, process, and a random part that differs in each beat."""
    return f"{_machine()} {os.getpid()} {_began(os.getpid())} {secrets.token_hex(8)}".encode()


@cache
def _machine() -> str:
    """Return the host name, and ids of the boot and the container that make it unique."""
    parts = [platform.node().replace(" ", "_")]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return "|".join(parts)


def _began(process: int) -> str:
    """Return when a process started, in clock ticks since boot; "" if it has ended or not known."""
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def _lives_here(content: bytes) -> bool | None:
    """Whether the process of a claim is alive; None if that cannot be known from this machine."""
    machine, process, began = (*content.decode(errors="replace").split(), "", "", "")[:3]
    if machine != _machine() or not process.isdigit() or not _began(os.getpid()):
        return None
    return began != "" and _began(int(process)) == began


def _holder(content: bytes) -> str:
    machine, process = (*content.decode(errors="replace").split(), "", "")[:2]
    return f"process {process} on {machine.partition('|')[0]}"
