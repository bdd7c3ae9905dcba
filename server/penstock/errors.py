"""What can go wrong while Penstock is configured and started. Each message says what to do.

    PenstockError
    |-- ConfigError          a setting or a model.yaml is wrong; the message names the key
    |-- RepositoryError      a path holds no model, or one with a wrong name or version
    |-- RuntimeLibraryError  no ONNX Runtime is installed, or two that overwrite each other
    `-- ServerError          the core could not load a model, bind the port or start

The messages are for the operator of the server and may name paths. None reaches a client.
"""

__all__ = [
    "ConfigError",
    "PenstockError",
    "RepositoryError",
    "RuntimeLibraryError",
    "ServerError",
]


class PenstockError(Exception):
    """Base of all errors that Penstock raises on purpose."""


class ConfigError(PenstockError):
    """A setting is unknown, has the wrong type or is out of range."""


class RepositoryError(PenstockError):
    """The paths given to `penstock serve` do not lead to models."""


class RuntimeLibraryError(PenstockError):
    """libonnxruntime cannot be located."""


class ServerError(PenstockError):
    """The C++ core refused to start; code is a canonical gRPC status code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
