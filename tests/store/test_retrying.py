"""A store that fails for a while is retried, but only for the given time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import StoreFailed, StoreUnavailable
from nasoa.store import open_store
from nasoa.store.local import LocalStore
from nasoa.store.retrying import PatientStore
from nasoa.store.s3 import S3Store
from tests.pipelines.http_server import Answer, Request, serving

PATIENCE_S = 120.0


class Moody:
    """A store whose requests fail a number of times, before or after they take effect."""

    def __init__(self, store: LocalStore, failures: int, after_effect: bool = False) -> None:
        self._store = store
        self.failures = failures
        self._after_effect = after_effect

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method

        def request(*arguments: Any) -> Any:
            if self.failures > 0:
                self.failures -= 1
                if self._after_effect:
                    method(*arguments)
                raise StoreFailed("the server is starting")
            return method(*arguments)

        return request


class Time:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds


def patient(store: Any, time: Time) -> PatientStore:
    return PatientStore(store, PATIENCE_S, sleep=time.sleep, now=lambda: time.now_s)


REQUESTS: dict[str, Callable[[PatientStore], Any]] = {
    "get": lambda s: s.get("k"),
    "put": lambda s: s.put("k", b"new"),
    "put_if_absent": lambda s: s.put_if_absent("fresh", b"new"),
    "list": lambda s: s.list(),
    "stat": lambda s: s.stat("k"),
    "delete": lambda s: s.delete("k"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_each_request_is_tried_until_it_succeeds(tmp_path: Path, name: str) -> None:
    plain = LocalStore(tmp_path)
    plain.put("k", b"old")
    time = Time()
    moody = Moody(plain, failures=5)
    REQUESTS[name](patient(moody, time))
    assert moody.failures == 0
    assert 0 < time.now_s <= PATIENCE_S


def test_an_object_that_a_failed_try_wrote_is_ours(tmp_path: Path) -> None:
    plain = LocalStore(tmp_path)
    store = patient(Moody(plain, failures=1, after_effect=True), Time())
    assert store.put_if_absent("k", b"ours")
    plain.put("other", b"theirs")
    assert not patient(Moody(plain, failures=1), Time()).put_if_absent("other", b"ours")
    assert not patient(Moody(plain, failures=0), Time()).put_if_absent("other", b"theirs")


@given(patience_s=st.floats(0.5, 1000))
def test_patience_ends(patience_s: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    time = Time()
    store = PatientStore(
        Moody(LocalStore(tmp_path_factory.getbasetemp()), failures=10**9),  # type: ignore[arg-type]
        patience_s,
        sleep=time.sleep,
        now=lambda: time.now_s,
    )
    with pytest.raises(StoreFailed, match="starting"):
        store.get("k")
    assert time.now_s == pytest.approx(patience_s)


def test_what_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    class Refusing:
        def get(self, key: str) -> bytes:
            raise StoreUnavailable("wrong keys")

    time = Time()
    with pytest.raises(StoreUnavailable, match="wrong keys"):
        patient(Refusing(), time).get("k")
    assert time.now_s == 0


class Failing:
    """An S3 server that answers with a server error."""

    def __init__(self, status: int) -> None:
        self.requests: list[Request] = []
        self.faults: list[Any] = []
        self._status = status

    def handle(self, request: Request) -> Answer:
        if request.method == "HEAD":
            return Answer(200, b"")
        body = b"<Error><Code>SlowDown</Code><Message>busy</Message></Error>"
        return Answer(self._status, body, "application/xml")


def test_a_server_that_is_busy_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasoa.store.s3.RETRIES", 0)
    for name in ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    with serving(Failing(503)) as host:
        monkeypatch.setenv("NASOA_S3_ENDPOINT", host)
        store = open_store("s3://bucket/x")
        for request in (store.list, lambda: store.put_if_absent("k", b""), lambda: store.get("k")):
            with pytest.raises(StoreFailed):
                request()


def test_patience_is_asked_for(monkeypatch: pytest.MonkeyPatch, s3_environment: Any) -> None:
    monkeypatch.delenv("NASOA_STORE_PATIENCE", raising=False)
    assert isinstance(open_store("s3://nasoa/x"), S3Store)
    monkeypatch.setenv("NASOA_STORE_PATIENCE", "2m")
    store = open_store("s3://nasoa/patient")
    assert isinstance(store, PatientStore)
    assert store.uri == "s3://nasoa/patient"
    store.put("k", b"x")
    assert store.get("k") == b"x"
