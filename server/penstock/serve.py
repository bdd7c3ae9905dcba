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

from penstock import _core
from penstock._options import ServerOptions
from penstock._ort import locate_runtime
from penstock.config import load_model_options
from penstock.errors import ServerError
from penstock.repository import find_models

__all__ = ["serve"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(
    paths: Sequence[Path], *, options: ServerOptions, model_defaults: Mapping[str, object]
) -> int:
    """Serves until a signal and returns the exit code.

    model_defaults are the settings of a model that its own file does not name. Raises
    PenstockError where the server cannot start.
    """
    models = [
        (found, load_model_options(found.settings, model_defaults)) for found in find_models(paths)
    ]
    sources = [
        _core.ModelSource(
            name=found.name, version=found.version, path=str(found.path), options=settings
        )
        for found, settings in models
    ]
    options = locate_runtime(options, (settings for _, settings in models))
    signals = _Signals()
    running = _start(options, sources)
    signals.serving.set()
    print(f"ready grpc={_address(running.host, running.grpc_port)}", flush=True)
    signals.stop.wait()
    if running.stop(options.drain_timeout_ms):
        return 0
    print(
        f"penstock: error: not every call finished within {options.drain_timeout_ms} ms; "
        "the others were cancelled",
        file=sys.stderr,
    )
    return 1


def _start(options: ServerOptions, sources: Sequence[_core.ModelSource]) -> _core.Server:
    try:
        return _core.Server.create(options, sources)
    except _core.Error as error:
        code, message = error.args
        raise ServerError(code, message) from None


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


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
