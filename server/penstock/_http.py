"""What operators ask over HTTP: /metrics, /healthz and /readyz. Never on the path of a request.

Threads of their own answer. The GIL is let go while the core adds up what its loops have counted,
and no loop waits for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

__all__ = ["HttpServer"]

# Prometheus' text format.
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TEXT_TYPE = "text/plain; charset=utf-8"
_CLIENT_TIMEOUT_S = 10.0
# Below the compute threads too, which are at 5.
_NICE = 10


class HttpServer:
    """Answers from when it is made until `close`.

    port 0: the system picks one. metrics returns the text of /metrics, ready whether calls are
    taken; both are called from several threads. Raises OSError where the port cannot be bound.
    """

    def __init__(
        self, host: str, port: int, metrics: Callable[[], bytes], ready: Callable[[], bool]
    ) -> None:
        self._listener = _Listener(host, port, metrics, ready)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()

    # serve_forever looks twice a second whether it is to end; this ends at once.
    def _serve(self) -> None:
        _yield_to_loops()
        while not self._closing:
            self._listener.handle_request()

    @property
    def port(self) -> int:
        """The one that was really bound."""
        return int(self._listener.server_address[1])

    def close(self) -> None:
        """No connection is accepted any more; what is being answered still is."""
        self._closing = True
        self._listener.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.server_close()


def _yield_to_loops() -> None:
    """A page of many models takes milliseconds, and a core that is wanted. Threads that the calling
    one starts are as modest."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):  # then it only competes more
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)


class _Listener(ThreadingMixIn, TCPServer):
    # http.server's own class looks its host up in the DNS, which may take seconds.
    allow_reuse_address = True
    daemon_threads = True
    # A client that sends nothing must not hold up the end.
    block_on_close = False

    def __init__(
        self, host: str, port: int, metrics: Callable[[], bytes], ready: Callable[[], bool]
    ) -> None:
        self.metrics = metrics
        self.ready = ready
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own affair."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    server_version = "penstock"
    sys_version = ""
    timeout = _CLIENT_TIMEOUT_S

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(200, self.server.metrics(), _METRICS_TYPE)
            case "/healthz":
                self._answer(200, b"ok\n")
            case "/readyz" if self.server.ready():
                self._answer(200, b"ready\n")
            case "/readyz":
                self._answer(503, b"not ready: the server is shutting down\n")
            case _:
                self._answer(404, b"there are /metrics, /healthz and /readyz\n")

    do_HEAD = do_GET  # noqa: N815, http.server's name

    def _answer(self, status: int, body: bytes, kind: str = _TEXT_TYPE) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds: they are not logged."""
