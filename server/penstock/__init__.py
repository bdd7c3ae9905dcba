"""Penstock, a gRPC inference server: Python to operate it, C++ for everything done per request.

Importing this package loads neither the C++ core nor any dependency. The command line is
`penstock serve`; see penstock.cli.
"""

from penstock._version import __version__
from penstock.errors import (
    ConfigError,
    PenstockError,
    RepositoryError,
    RuntimeLibraryError,
    ServerError,
)

__all__ = [
    "ConfigError",
    "PenstockError",
    "RepositoryError",
    "RuntimeLibraryError",
    "ServerError",
    "__version__",
]
