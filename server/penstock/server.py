"""`penstock.Server`: the gRPC server in this process, as an object.

What `penstock serve` runs, without its signals: it installs no handler and blocks none. Everything
per request happens in the core's own threads, without the GIL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import _core
from penstock._context import EndsWithItsBlock
from penstock._loading import Paths, core_arguments, drain_ms
from penstock.errors import ServerError, start_error

if TYPE_CHECKING:
    from penstock._http import HttpServer

__all__ = ["Server"]

_UNAVAILABLE = 14  # gRPC's code


class Server(EndsWithItsBlock):
    """Answers from when it is made until `stop`.

        with Server("repository/", grpc_port=0) as server:
            print(server.address)

    paths: an .onnx file, a model repository, or several of them. settings: those of `penstock
    serve` by their names in docs/reference/settings.md, of the server or of every model; a model's
    own model.yaml comes first.

    http_port opens /metrics, /healthz and /readyz, and only where it is named: a program that
    embeds a server may not want its port 8000 taken.

    Raises ConfigError, RepositoryError, RuntimeLibraryError or ServerError where it cannot start;
    then nothing is left running. In a forked child every method raises RuntimeError.
    """

    def __init__(self, paths: Paths, **settings: object) -> None:
        self.options, sources = core_arguments(paths, settings)
        try:
            self._core = _core.Server.create(self.options, sources)
        except _core.Error as error:
            raise start_error(error) from None
        self._stopping = False
        self._stopped: bool | None = None
        self._http: HttpServer | None = None
        if "http_port" in settings and not self.options.no_http:
            try:
                self.serve_http()
            except ServerError:
                self.stop(0)
                raise

    # self.options: the settings that it runs with, checked and complete.

    @property
    def address(self) -> str:
        """HOST:PORT, with the port that was really bound."""
        return self._address_of(self.port)

    @property
    def http_address(self) -> str | None:
        """HOST:PORT of /metrics, /healthz and /readyz, where it is open."""
        return None if self._http is None else self._address_of(self._http.port)

    def _address_of(self, port: int) -> str:
        host = self._core.host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def port(self) -> int:
        return self._core.grpc_port

    @property
    def models(self) -> list[_core.ModelReport]:
        """One for each version that is served: name, inputs, outputs, how it is run and why."""
        return self._core.models

    def live_counts(self) -> _core.LiveCounts:
        """Connections, calls and buffers alive: zero at rest."""
        return self._core.live_counts()

    def serve_http(self) -> None:
        """Opens /metrics, /healthz and /readyz on the setting http_port, until `stop`. Once.

        Raises ServerError where the port cannot be bound.
        """
        from penstock._http import HttpServer  # costs time that a server without it need not spend

        host, port = self._core.host, self.options.http_port
        try:
            self._http = HttpServer(host, port, self._core.metrics_text, lambda: not self._stopping)
        except OSError as error:
            raise ServerError(
                _UNAVAILABLE, f"http_port: {self._address_of(port)}: {error.strerror}"
            ) from None

    def stop(self, drain_timeout_s: float | None = None) -> bool:
        """Accepts nothing new and waits for accepted calls, for drain_timeout_s (the setting
        drain_timeout_ms) at most; the others are cancelled. Returns whether all finished. Again, it
        returns the same."""
        self._stopping = True
        if self._stopped is None:
            self._stopped = self._core.stop(drain_ms(self.options, drain_timeout_s))
            if self._http is not None:
                self._http.close()
        return self._stopped

    def _end(self) -> None:
        self.stop()
