"""A store on a real S3 server behind a network and a server that fail."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nasoa.errors import StoreFailed, StoreUnavailable
from nasoa.steps.health import store_works
from nasoa.store import ArtifactStore, experience_log, open_store, snapshots
from nasoa.store.compaction import compact
from tests.faulty_proxy import FINE, Fault, Proxy, faulty_proxy
from tests.store.finished import NAME, finish, newest_version, update

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def proxy(s3_environment: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with faulty_proxy(s3_environment.endpoint) as running:
        monkeypatch.setenv("NASOA_S3_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def store(proxy: Proxy) -> ArtifactStore:
    """A store behind the proxy, after the requests that it makes only once."""
    opened = open_store(f"s3://nasoa/{uuid.uuid4().hex}")
    opened.put_if_absent("known", CONTENT)
    return opened


WRITES: dict[str, Callable[[ArtifactStore], Any]] = {
    "put": lambda store: store.put("k", CONTENT),
    "put_if_absent": lambda store: store.put_if_absent("k", CONTENT),
}
FAULTS = {
    "answers 500": (Fault(status=500),),
    "answers 503 twice": (Fault(status=503), Fault(status=503)),
    "is closed before the server gets it": (Fault(lost=True),),
    "gets no answer": (Fault(lost_answer=True),),
    "is cut": (Fault(cut_request=1000),),
    "is cut to nothing": (Fault(cut_request=0),),
    "is slow": (Fault(delay_s=0.5),),
    "comes late": (Fault(late_s=0.5),),
    "arrives twice": (Fault(doubled=True),),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_is_whole_whatever_happens_to_it(
    store: ArtifactStore, proxy: Proxy, write: str, fault: str
) -> None:
    proxy.once("PUT", "/k", *FAULTS[fault])
    written = WRITES[write](store)
    if write == "put_if_absent" and fault != "arrives twice":
        assert written is True
    proxy.plan = lambda _method, _path: FINE
    for timer in proxy.late:
        timer.join()
    assert store.get("k") == CONTENT


READS: dict[str, Callable[[ArtifactStore], Any]] = {
    "get": lambda store: store.get("known"),
    "list": lambda store: store.list(),
    "sizes": lambda store: store.sizes("known"),
    "stat": lambda store: store.stat("known").size_bytes,
    "delete": lambda store: store.delete("none"),
}


@pytest.mark.parametrize("read", ["get", *WRITES])
def test_a_server_that_is_away_for_a_second_is_not_noticed(
    store: ArtifactStore, proxy: Proxy, read: str
) -> None:
    call = {**READS, **WRITES}[read]
    right = call(store) if read in READS else None
    proxy.down_for(1.0)
    found = call(store)
    if read in READS:
        assert found == right
    else:
        assert store.get("k") == CONTENT


@pytest.mark.stress
@pytest.mark.parametrize("away_s", [1, 10, 60])
@pytest.mark.parametrize("call", [*READS, *WRITES])
def test_with_patience_a_server_may_be_away_for_longer(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, call: str, away_s: int
) -> None:
    monkeypatch.setenv("NASOA_STORE_PATIENCE", "3m")
    patient = open_store(f"s3://nasoa/{uuid.uuid4().hex}")
    patient.put("known", CONTENT)
    right = READS[call](patient) if call in READS else None
    proxy.down_for(away_s)
    started = time.monotonic()
    found = {**READS, **WRITES}[call](patient)
    assert time.monotonic() - started > away_s
    if call in READS:
        assert found == right
    else:
        assert patient.get("k") == CONTENT


def test_an_answer_that_is_cut_is_no_content(store: ArtifactStore, proxy: Proxy) -> None:
    proxy.plan = lambda method, _path: Fault(cut_answer=1000) if method == "GET" else FINE
    with pytest.raises(StoreFailed):
        store.get("known")
    proxy.once("GET", "/known", Fault(cut_answer=1000))
    assert store.get("known") == CONTENT


def test_a_store_that_ignores_the_condition_is_found_and_refused(proxy: Proxy) -> None:
    proxy.plan = lambda _method, _path: Fault(ignores_condition=True)
    uri = f"s3://nasoa/{uuid.uuid4().hex}"
    found = store_works(uri)
    assert not found.ok
    assert "ignores If-None-Match" in found.detail
    store = open_store(uri)
    with pytest.raises(StoreUnavailable, match="ignores If-None-Match"):
        experience_log.append(store, experience_log_entry())
    assert store.list() == []
    proxy.plan = lambda _method, _path: FINE
    assert store_works(uri).ok


def experience_log_entry() -> Any:
    from tests.store.finished import experience

    return experience("t1", 0.5)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_conflict_is_settled_by_the_next_try(
    store: ArtifactStore, proxy: Proxy, is_there: bool
) -> None:
    """409 ConditionalRequestConflict: another request for the key was in progress."""
    if is_there:
        store.put("k", b"of another")
    conflict = Fault(status=409)
    proxy.once("PUT", "/k", conflict, conflict)
    assert store.put_if_absent("k", CONTENT) is not is_there
    assert store.get("k") == (b"of another" if is_there else CONTENT)


def test_a_conflict_without_end_is_a_failure_of_the_server(
    store: ArtifactStore, proxy: Proxy
) -> None:
    proxy.once("PUT", "/k", *[Fault(status=409)] * 10)
    with pytest.raises(StoreFailed):
        store.put_if_absent("k", CONTENT)


def test_more_than_a_thousand_objects_are_listed(s3_environment: Any) -> None:
    store = open_store(f"s3://nasoa/{uuid.uuid4().hex}")
    names = sorted(f"experience/t{number:04d}.json" for number in range(1100))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: store.put(name, b"x"), names))
    assert store.list("experience/") == names
    assert list(store.sizes("experience/")) == list(store.etags("experience/")) == names
    assert store.list("experience/", after=names[999]) == names[1000:]
    assert experience_log.loose_ids(store) == [name[11:-5] for name in names]


@pytest.mark.slow
def test_many_tasks_learn_each_once_behind_a_network_that_fails(
    store: ArtifactStore, proxy: Proxy
) -> None:
    """Every fourth write fails in one of the ways, and reads from time to time."""
    spoiled = [*(fault for faults in FAULTS.values() for fault in faults), Fault(cut_answer=10)]
    lock, turn = threading.Lock(), 0

    def plan(_method: str, _path: str) -> Fault:
        nonlocal turn
        with lock:
            turn += 1
            return spoiled[turn // 4 % len(spoiled)] if turn % 4 == 0 else FINE

    proxy.plan = plan
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            opened = open_store(store.uri)
            for one in range(3):
                again_until_done(lambda one=one: finish(opened, f"t{number}-{one}"))  # type: ignore[misc]
                again_until_done(lambda: update(opened))
            if number == 0:
                again_until_done(lambda: compact(opened, 4))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    proxy.plan = lambda _method, _path: FINE
    update(store)
    tasks = sorted(f"t{number}-{one}" for number in range(4) for one in range(3))
    newest = newest_version(store)
    assert newest.predictor is not None
    assert list(newest.info.learned) == tasks
    assert int(newest.predictor["count"]) == len(tasks)
    assert sorted(e.task.task_id for e in experience_log.read_all(store)) == tasks
    versions = [snapshots.load(store, NAME, n).info for n in snapshots.versions(store, NAME)]
    assert sorted(task for info in versions for task in info.new) == tasks


def again_until_done(call: Callable[[], object]) -> None:
    """Retry as a patient store does, without pauses."""
    for _ in range(20):
        try:
            call()
        except StoreFailed:
            continue
        return
    raise AssertionError("it never succeeded")
