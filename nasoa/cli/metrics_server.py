"""Serve the metrics of a store over HTTP, for Prometheus."""

from __future__ import annotations

import logging
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from nasoa.cli.listening import refused_address
from nasoa.errors import NasoaError

if TYPE_CHECKING:
    from nasoa.steps.metrics import StoreMetrics

LOOPBACK = "127.0.0.1"

logger = logging.getLogger(__name__)


class MetricsServer(ThreadingHTTPServer):
    """Serves the metrics at /metrics, and /healthz without a request to the store.

    Args:
        metrics: the metrics of the store.
        port: port to listen on; 0 for any free one.
        host: address to listen on; by default only this machine can connect.

    Raises:
        InvalidInput: the port is not free or not valid, or the address is not this machine's.
    """

    daemon_threads = True

    def __init__(self, metrics: StoreMetrics, port: int, host: str = LOOPBACK) -> None:
        self.metrics = metrics
        # A scrape updates the metrics, and two may arrive at once.
        self.lock = threading.Lock()
        with refused_address(host, port):
            super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer

    def do_GET(self) -> None:
        """Answer with the metrics, or with 503 and one line if the store cannot be read."""
        from nasoa.steps.metrics import CONTENT_TYPE  # noqa: PLC0415

        if self.path == "/healthz":
            self._answer(HTTPStatus.OK, "ok\n", "text/plain")
        elif self.path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, "expected /metrics or /healthz\n", "text/plain")
        else:
            try:
                with self.server.lock:
                    text = self.server.metrics.text()
            except NasoaError as error:
                logger.warning("%s", error)
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n", "text/plain")
            else:
                self._answer(HTTPStatus.OK, text, CONTENT_TYPE)

    def _answer(self, status: HTTPStatus, text: str, content_type: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Log requests to the logger of the module instead of standard error."""
        logger.info(format, *arguments)
