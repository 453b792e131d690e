"""`nasoa store metrics` over HTTP."""

from __future__ import annotations

import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nasoa.cli.main import main
from nasoa.cli.metrics_server import MetricsServer
from nasoa.errors import InvalidInput, StoreUnavailable
from nasoa.steps.metrics import CONTENT_TYPE, StoreMetrics
from nasoa.store import keys, open_store


@contextmanager
def serving(metrics: StoreMetrics) -> Iterator[str]:
    with MetricsServer(metrics, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_what_is_new_is_in_the_next_scrape(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with serving(StoreMetrics(store)) as url:
        status, content_type, text = get(f"{url}/metrics")
        assert (status, content_type) == (200, CONTENT_TYPE)
        assert "nasoa_search_evaluations{" not in text
        store.put(keys.evaluation("blocks", "a"), b"{}")
        assert 'nasoa_search_evaluations{search="blocks"} 1\n' in get(f"{url}/metrics")[2]
        assert get(f"{url}/healthz")[:2] == (200, "text/plain")
        assert get(f"{url}/other")[0] == 404


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of Linux alone")
def test_only_this_machine_is_served_unless_told_otherwise(tmp_path: Path) -> None:
    """An address of the machine that nobody listens on by name tells the two apart."""
    metrics = StoreMetrics(open_store(str(tmp_path)))
    with MetricsServer(metrics, 0) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5)
    with MetricsServer(metrics, 0, "0.0.0.0") as server:
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5).close()
    with pytest.raises(InvalidInput, match=r"an address of this machine, got 0 of 192\.0\.2\.250"):
        MetricsServer(metrics, 0, "192.0.2.250")


def test_a_store_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scrape fails, and the server continues."""
    metrics = StoreMetrics(open_store(str(tmp_path)))
    answers = metrics.text

    def unavailable() -> str:
        raise StoreUnavailable("the store is away")

    with serving(metrics) as url:
        monkeypatch.setattr(metrics, "text", unavailable)
        assert get(f"{url}/metrics") == (503, "text/plain", "the store is away\n")
        assert get(f"{url}/healthz")[0] == 200
        monkeypatch.setattr(metrics, "text", answers)
        assert get(f"{url}/metrics")[0] == 200


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    metrics = StoreMetrics(open_store(str(tmp_path)))
    with MetricsServer(metrics, 0) as server:
        for port in (server.server_port, 70000):
            with pytest.raises(InvalidInput, match="expected a free port"):
                MetricsServer(metrics, port)


def test_the_verb_prints_them_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "metrics", "--store", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text == StoreMetrics(open_store(str(tmp_path))).text()
    assert main(["store", "metrics", "--store", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"metrics": text}
