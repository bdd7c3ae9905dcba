"""The exceptions (the tree is drawn in the package's docstring) and the way from a gRPC status to
one of them. The only module that maps status codes.
"""

from __future__ import annotations

from typing import Any

import grpc


class PenstockClientError(Exception):
    """Whatever this package raises."""


class InputError(PenstockClientError, ValueError):
    """The arguments cannot be sent as they are; nothing was sent."""


class ResponseError(PenstockClientError):
    """The server's answer breaks the protocol, or holds what NumPy arrays here cannot."""


class CallError(PenstockClientError):
    """The call ended with a status other than OK.

    Attributes:
        code: the canonical gRPC name, such as "INVALID_ARGUMENT".
        message: what the server (or, where none was reached, the transport) said.
        retry_after_s: seconds to wait before a retry, if the server named them, else None.
        retry_forbidden: the server asked that the call be not tried again.
    """

    def __init__(
        self,
        code: str,
        message: str,
        retry_after_s: float | None = None,
        retry_forbidden: bool = False,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.retry_forbidden = retry_forbidden

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions cross process pools by pickle, which would call the constructor with args."""
        return type(self), (self.code, self.message, self.retry_after_s, self.retry_forbidden)


class InvalidRequestError(CallError):
    """The server refused the request as such: a name, type or shape is wrong."""


class NotFoundError(CallError):
    """The server has no such model or version."""


class DeadlineError(CallError):
    """No answer within the timeout."""


class OverloadedError(CallError):
    """The server has no room for the request now, or the message is larger than it accepts."""


class UnavailableError(CallError):
    """No server there, the connection broke, or the server is shutting down."""


class UnimplementedError(CallError):
    """The server does not offer this call, or not for this model."""


_BY_CODE: dict[str, type[CallError]] = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "NOT_FOUND": NotFoundError,
    "DEADLINE_EXCEEDED": DeadlineError,
    "RESOURCE_EXHAUSTED": OverloadedError,
    "UNAVAILABLE": UnavailableError,
    "UNIMPLEMENTED": UnimplementedError,
}

_PUSHBACK_DIGITS_MAX = 10  # those of 2**31


def error_from_rpc(error: grpc.RpcError) -> CallError:
    """The exception for a failed call of grpcio, or of grpc.aio."""
    code = error.code().name
    pushback = _pushback(error)
    retry_after_s = None if pushback is None else parse_pushback_s(pushback)
    return _BY_CODE.get(code, CallError)(
        code,
        error.details() or "",
        retry_after_s=retry_after_s,
        retry_forbidden=pushback is not None and retry_after_s is None,
    )


def parse_pushback_s(value: str) -> float | None:
    """grpc-retry-pushback-ms in seconds; None where it says, or is taken to say: do not retry.

    That is what is negative or is no number of milliseconds in 32 bits.
    """
    if not (value.isascii() and value.isdecimal()) or len(value) > _PUSHBACK_DIGITS_MAX:
        return None
    milliseconds = int(value)
    return milliseconds / 1000 if milliseconds < 2**31 else None


def _pushback(error: grpc.RpcError) -> str | None:
    return next(
        (
            str(value)
            for key, value in error.trailing_metadata() or ()
            if key == "grpc-retry-pushback-ms"
        ),
        None,
    )
