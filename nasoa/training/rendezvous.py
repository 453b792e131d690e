"""Connect processes that start together, without stale data of an earlier attempt.

torchrun restarts processes with the key-value store of the previous attempt. It still contains the
addresses of dead processes, which a fast process would connect to. So the processes of each attempt
agree on their own part of the store.
"""

from __future__ import annotations

import hashlib
import secrets
import time

from torch.distributed.distributed_c10d import PrefixStore, Store

POLL_S = 0.02


def meet(store: Store, rank: int, count: int) -> Store:
    """Return a part of a store that only these processes use.

    Every process writes a new random number. Process 0 collects the numbers into a session, until
    all others have found their own number in the same session.

    Args:
        store: store of all processes, which earlier processes may have used.
        rank: number of this process.
        count: number of processes.
    """
    own = secrets.token_hex(8)
    store.set(f"meeting/{rank}", own)
    session = _lead(store, count) if rank == 0 else _follow(store, rank, own)
    return PrefixStore(_name(session), store)


def _lead(store: Store, count: int) -> str:
    session = ""
    while True:
        present = "-".join(store.get(f"meeting/{rank}").decode() for rank in range(count))
        if present != session:
            session = present
            store.set("meeting/session", session)
        if store.add(f"{_name(session)}/present", 0) == count - 1:
            store.set(f"{_name(session)}/begun", "1")
            return session
        time.sleep(POLL_S)


def _follow(store: Store, rank: int, own: str) -> str:
    found = ""
    while True:
        session = store.get("meeting/session").decode()
        if session != found and session.split("-")[rank : rank + 1] == [own]:
            store.add(f"{_name(session)}/present", 1)
            found = session
        if found and store.check([f"{_name(found)}/begun"]):
            return found
        time.sleep(POLL_S)


def _name(session: str) -> str:
    return "meeting/" + hashlib.sha256(session.encode()).hexdigest()[:16]
