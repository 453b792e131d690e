"""An HTTP server in a thread that answers from a Python object, with faults on request."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def answer(status: int, document: Any) -> Answer:
    return Answer(status, json.dumps(document).encode())


@dataclass
class Fault:
    """What goes wrong, and with which requests.

    Args:
        request: regular expression for `METHOD /path`.
        answer: answer to send instead of the correct one; None for the correct one.
        times: how often; None for always.
        after_effect: do what was requested before failing, as with a proxy's timeout.
        delay_s: seconds to wait before answering.
    """

    request: str
    answer: Answer | None = None
    times: int | None = None
    after_effect: bool = False
    delay_s: float = 0.0


class Service(Protocol):
    requests: list[Request]
    faults: list[Fault]

    def handle(self, request: Request) -> Answer: ...


def respond(service: Service, request: Request) -> Answer:
    """Return the answer of a service, changed by the first fault that matches the request."""
    service.requests.append(request)
    for fault in service.faults:
        if re.search(fault.request, f"{request.method} {request.path}") and fault.times != 0:
            fault.times = None if fault.times is None else fault.times - 1
            time.sleep(fault.delay_s)
            if fault.after_effect or fault.answer is None:
                right = service.handle(request)
                return fault.answer or right
            return fault.answer
    return service.handle(request)


@contextmanager
def serving(service: Service, tls: tuple[str, str] | None = None) -> Iterator[str]:
    """Serve a service and provide its address; `tls` names the files of certificate and key."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {key.lower(): value for key, value in self.headers.items()},
                self.rfile.read(length),
            )
            given = respond(service, request)
            try:
                self.send_response(given.status)
                for key, value in given.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", given.kind)
                self.send_header("Content-Length", str(len(given.body)))
                self.end_headers()
                self.wfile.write(given.body)
            except ConnectionError:
                self.close_connection = True  # the client has given up

        do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore errors: some clients disconnect on purpose."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
