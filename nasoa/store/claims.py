"""Who works on something: a claim that lives as long as its holder does.

A claim is made with put-if-absent, so of many workers one has it. Its holder writes it anew every
few seconds; who waits and sees it unchanged for a while, by the waiter's own clock, takes it to be
dead and makes the next claim. No clocks of two machines are compared.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nasoa.errors import NasoaError, ObjectNotFound
from nasoa.store.protocol import ArtifactStore

BEAT_S = 5.0
DEAD_AFTER_S = 30.0


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
    stop = threading.Event()
    beats = threading.Thread(target=_beat, args=(store, key, stop, beat_s), daemon=True)
    beats.start()
    try:
        # The work may have been done between the look and the claim.
        yield not done()
    finally:
        stop.set()
        beats.join()
        for old in store.list(prefix):
            store.delete(old)


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
        keys = store.list(prefix)
        newest = keys[-1] if keys else ""
        content = _content(store, newest)
        now = time.monotonic()
        if (content, newest) != seen:
            seen, since = (content, newest), now
        if not newest or now - since > dead_after_s:
            number = int(newest.removeprefix(prefix)) + 1 if newest else 1
            key = f"{prefix}{number:06d}"
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
    return secrets.token_hex(8).encode()
