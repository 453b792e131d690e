"""How processes that start together find each other, and not what others left before them.

torchrun restarts processes with the store of keys that the last attempt wrote to. Addresses of dead
processes are still in it, and a process that is quick connects to them. So each attempt agrees on a
part of the store of its own.
"""

from __future__ import annotations

import hashlib
import secrets
import time

from torch.distributed.distributed_c10d import PrefixStore, Store

POLL_S = 0.02


def meet(store: Store, rank: int, count: int) -> Store:
    """The part of a store that belongs to these processes alone.

    Every process leaves a number that is drawn anew. The first one collects them into a session
    until all others have found their own number in one and the same.

    Args:
        store: shared by all processes, perhaps by earlier ones too.
        rank: this process's number.
        count: how many there are.
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
