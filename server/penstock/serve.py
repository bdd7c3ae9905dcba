"""`penstock serve`: loads the models, says that it is ready, waits for a signal, drains.

Runs on the main thread, which only waits; one thread waits for signals. Everything per request
happens in the core, without the GIL. Imports neither numpy nor grpc, so that it starts quickly.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock.errors import ServerError
from penstock.server import Server

__all__ = ["serve"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(paths: Sequence[Path], settings: Mapping[str, object]) -> int:
    """Serves until a signal and returns the exit code.

    settings are those of penstock.Server. Raises PenstockError where the server cannot start.
    """
    signals = _Signals()
    server = Server(paths, **settings)
    signals.serving.set()
    if "http_port" not in settings and not server.options.no_http:
        _serve_http_if_free(server)
    http = f" http={server.http_address}" if server.http_address else ""
    print(f"ready grpc={server.address}{http}", flush=True)
    signals.stop.wait()
    if server.stop():
        return 0
    print(
        f"penstock: error: not every call finished within {server.options.drain_timeout_ms} ms; "
        "the others were cancelled",
        file=sys.stderr,
    )
    return 1


def _serve_http_if_free(server: Server) -> None:
    """Several servers on one machine must not fail over a port that nobody asked for."""
    try:
        server.serve_http()
    except ServerError as error:
        print(
            f"penstock: warning: {error}; going on without /metrics, name a port with --http-port",
            file=sys.stderr,
        )


class _Signals:
    """Takes SIGTERM and SIGINT away from every thread but one, which waits for them.

    The mask is set before the core starts threads, which inherit it. Before `serving` is set there
    is nothing to drain, so a signal ends the process at once, as a second one always does.
    """

    def __init__(self) -> None:
        self.serving = threading.Event()
        self.stop = threading.Event()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        # A daemon: it may be waiting when the interpreter ends.
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def _wait(self) -> None:
        number = signal.sigwait(_SIGNALS)
        if not self.serving.is_set():
            os._exit(128 + number)
        self.stop.set()
        os._exit(128 + signal.sigwait(_SIGNALS))
