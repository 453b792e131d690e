"""A proxy before a real S3 server that delays, doubles, cuts and loses what passes through it."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

OUTAGE = 503


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Args:
        status: answered without the request having been passed on; 0 for none.
        delay_s: wait before it is passed on.
        lost_answer: pass it on, and close the connection without an answer.
        lost: close the connection without passing it on.
        late_s: answer 503 now, and pass it on so many seconds later.
        doubled: pass it on twice, and give the second answer.
        cut_request: pass on only so many bytes of its body, as if that were all; None for all.
        cut_answer: send only so many bytes of the answer, and close; None for all.
        ignores_condition: leave the header If-None-Match out.
    """

    status: int = 0
    delay_s: float = 0.0
    lost_answer: bool = False
    lost: bool = False
    late_s: float = 0.0
    doubled: bool = False
    cut_request: int | None = None
    cut_answer: int | None = None
    ignores_condition: bool = False


FINE = Fault()
Plan = Callable[[str, str], Fault]


@dataclass
class Proxy:
    """Where a proxy listens, and what it does with the next requests.

    `plan` is asked for every request, by method and path; `requests` are those that came.
    `down_until` is a time of `time.monotonic()` before which connections are closed at once.
    """

    endpoint: str = ""
    plan: Plan = lambda _method, _path: FINE
    down_until: float = 0.0
    requests: list[str] = field(default_factory=list)
    late: list[threading.Timer] = field(default_factory=list)

    def once(self, method: str, part: str, *faults: Fault) -> None:
        """Spoil the next requests of a method whose path has a part, one after another."""
        left = list(faults)

        def plan(asked: str, path: str) -> Fault:
            return left.pop(0) if left and asked == method and part in path else FINE

        self.plan = plan

    def down_for(self, seconds: float) -> None:
        """Close every connection for a while from now on."""
        self.down_until = time.monotonic() + seconds


@contextlib.contextmanager
def faulty_proxy(server: str) -> Iterator[Proxy]:
    """Start a proxy before a server like `http://127.0.0.1:8333`."""
    address = urlsplit(server).netloc
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            proxy.requests.append(f"{self.command} {path}")
            fault = proxy.plan(self.command, path)
            if time.monotonic() < proxy.down_until or fault.lost:
                self.close_connection = True
                return
            time.sleep(fault.delay_s)
            if fault.cut_request is not None:
                body = body[: fault.cut_request]
            request = (self.command, self.path, body, self._sent(body, fault))
            if fault.late_s:
                timer = threading.Timer(fault.late_s, _pass_on, (address, *request))
                proxy.late.append(timer)
                timer.start()
            if fault.late_s or fault.status:
                self._answer(fault.status or OUTAGE, {"Content-Type": "application/xml"}, b"")
                return
            if fault.doubled:
                _pass_on(address, *request)
            status, headers, content = _pass_on(address, *request)
            if fault.lost_answer:
                self.close_connection = True
                return
            self._answer(status, headers, content, fault.cut_answer)

        def _sent(self, body: bytes, fault: Fault) -> dict[str, str]:
            headers = dict(self.headers.items())
            if "Content-Length" in headers:
                headers["Content-Length"] = str(len(body))
            if fault.ignores_condition:
                headers.pop("If-None-Match", None)
            return headers

        def _answer(
            self, status: int, headers: dict[str, str], content: bytes, cut: int | None = None
        ) -> None:
            length = headers.pop("Content-Length", "") if self.command == "HEAD" else ""
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                for name, value in headers.items():
                    if name not in ("Content-Length", "Transfer-Encoding", "Connection", "Date"):
                        self.send_header(name, value)
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content[:cut])
                if cut is not None:
                    self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Quiet: connections are meant to break."""

    listening = Server(("127.0.0.1", 0), Handler)
    proxy.endpoint = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        for timer in proxy.late:
            timer.join()
        listening.shutdown()
        thread.join()
        listening.server_close()


def _pass_on(
    address: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """The server's answer to a request."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()
