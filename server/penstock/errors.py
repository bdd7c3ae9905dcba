"""What can go wrong while Penstock is configured and started, and while an Engine runs.

    PenstockError
    |-- ConfigError          a setting or a model.yaml is wrong; the message names the key
    |-- RepositoryError      a path holds no model, or one with a wrong name or version
    |-- RuntimeLibraryError  no ONNX Runtime is installed, or two that overwrite each other
    |-- ExportError          something cannot be written as a declaration of steps
    |-- CommandError         a command cannot do what it was asked for
    |-- ServerError          the core could not load a model, bind the port or start
    `-- InferError           a call of an Engine failed; .code is a canonical gRPC status code
        |-- InvalidRequestError  the tensors are not what the model takes
        |-- NotFoundError        no such model or version
        |-- DeadlineError        its turn did not come within the timeout
        |-- OverloadedError      the model's queue is full
        `-- UnavailableError     the engine is closed

Messages say what to do. All but those of InferError may name paths: they are for the operator of
the server, and none reaches a client.
"""

from __future__ import annotations

__all__ = [
    "CommandError",
    "ConfigError",
    "DeadlineError",
    "ExportError",
    "InferError",
    "InvalidRequestError",
    "NotFoundError",
    "OverloadedError",
    "PenstockError",
    "RepositoryError",
    "RuntimeLibraryError",
    "ServerError",
    "UnavailableError",
    "make_infer_error",
    "start_error",
]


class PenstockError(Exception):
    """Base of all errors that Penstock raises on purpose."""


class ConfigError(PenstockError):
    """A setting is unknown, has the wrong type or is out of range."""


class RepositoryError(PenstockError):
    """The paths given to `penstock serve` do not lead to models."""


class RuntimeLibraryError(PenstockError):
    """libonnxruntime cannot be located."""


class ExportError(PenstockError):
    """A preprocessing that was fitted elsewhere has no equal here; the message names every part."""


class CommandError(PenstockError):
    """A command cannot do what it was asked for."""


class ServerError(PenstockError):
    """The C++ core refused to start; code is a canonical gRPC status code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class InferError(PenstockError):
    """A call of an Engine failed; code is a canonical gRPC status code."""

    code: int = 2  # UNKNOWN


class InvalidRequestError(InferError):
    """The tensors are not what the model takes: INVALID_ARGUMENT. A Python step may raise it."""

    code = 3


class NotFoundError(InferError):
    """No such model or version: NOT_FOUND."""

    code = 5


class DeadlineError(InferError):
    """The call's turn did not come within its timeout: DEADLINE_EXCEEDED."""

    code = 4


class OverloadedError(InferError):
    """The model's queue is full: RESOURCE_EXHAUSTED."""

    code = 8


class UnavailableError(InferError):
    """The engine is closed: UNAVAILABLE."""

    code = 14


_KINDS: dict[int, type[InferError]] = {
    kind.code: kind
    for kind in (
        InvalidRequestError,
        NotFoundError,
        DeadlineError,
        OverloadedError,
        UnavailableError,
    )
}


def make_infer_error(code: int, message: str) -> InferError:
    """The kind that stands for a canonical code. The core calls it."""
    error = _KINDS.get(code, InferError)(message)
    error.code = code
    return error


def start_error(error: Exception) -> ServerError:
    """What the core's own error, raised while it starts, is to its callers."""
    code, message = error.args
    return ServerError(code, message)
