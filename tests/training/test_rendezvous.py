"""Processes connect through a store that earlier processes have used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from torch.distributed import HashStore, Store

from nasoa.training.rendezvous import meet


def gather(store: Store, count: int) -> list[Store]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda rank: meet(store, rank, count), range(count)))


def test_all_get_the_same_part_and_no_earlier_one() -> None:
    store = HashStore()
    for attempt in range(3):
        parts = gather(store, 3)
        assert not any(part.check(["address"]) for part in parts)
        parts[0].set("address", str(attempt))
        assert {part.get("address") for part in parts} == {str(attempt).encode()}


def test_an_attempt_that_not_all_came_to_is_left_behind() -> None:
    """Numbers in the store of processes that died before they met the others are ignored."""
    store = HashStore()
    for rank in (1, 2):
        store.set(f"meeting/{rank}", "0123456789abcdef")
    store.set("meeting/session", "x-0123456789abcdef-0123456789abcdef")
    parts = gather(store, 3)
    parts[1].set("key", "value")
    assert parts[2].get("key") == b"value"
