"""Penstock, a gRPC inference server: Python to operate it, C++ for everything done per request.

Importing this package loads neither the C++ core nor any dependency; the first use of Engine or
Server does. The command line is `penstock`; see penstock.cli.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._version import __version__
from penstock.errors import (
    CommandError,
    ConfigError,
    DeadlineError,
    ExportError,
    InferError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PenstockError,
    RepositoryError,
    RuntimeLibraryError,
    ServerError,
    UnavailableError,
)

if TYPE_CHECKING:
    from penstock.engine import Engine
    from penstock.server import Server

__all__ = [
    "CommandError",
    "ConfigError",
    "DeadlineError",
    "Engine",
    "ExportError",
    "InferError",
    "InvalidRequestError",
    "NotFoundError",
    "OverloadedError",
    "PenstockError",
    "RepositoryError",
    "RuntimeLibraryError",
    "Server",
    "ServerError",
    "UnavailableError",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name == "Engine":
        from penstock.engine import Engine

        return Engine
    if name == "Server":
        from penstock.server import Server

        return Server
    raise AttributeError(f"module 'penstock' has no attribute {name!r}")
