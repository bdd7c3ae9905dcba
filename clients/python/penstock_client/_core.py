"""What every client does, whatever carries its calls: encoding, deadlines, retries, decoding.

A call is a generator, called a story here: it yields each `Attempt` that is to be made, is sent the
response's bytes or thrown the CallError that came of it, and returns the call's result. Who drives
it (a Client on its thread, an AsyncClient in its task) only waits and sends. Any thread.

Must not know: channels, sleeping, threads and tasks; of grpcio nothing at all.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import _messages
from ._errors import CallError, InputError, ResponseError
from ._metadata import ModelIndex, ModelMetadata, ServerMetadata, TensorMetadata
from ._retry import NO_RETRIES, RetryBudget, RetryPolicy, retry_delay_s
from .wire import InferResult, Parameter, decode_response, encode_request

METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "RepositoryIndex",
)

# grpcio refuses what is larger than 4 MiB; what is too large is the server's decision.
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Two clients in one process would otherwise share one connection.
    ("grpc.use_local_subchannel_pool", 1),
    # grpcio fails calls at once until it connects again: after 1 s at first, later after up to two
    # minutes, which retries would only wait for and a server's return should not.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5000),
)


class ClientTimeout:
    """Stands for: the client's own timeout (None already means: no timeout)."""


CLIENT_TIMEOUT = ClientTimeout()
Timeout = float | None | ClientTimeout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a call: after `delay_s` seconds, `request` is to be sent to `method`."""

    method: str
    request: bytes
    delay_s: float
    deadline_s: float | None

    def timeout_s(self, now_s: float) -> float | None:
        """What is left of the call's time; None is no end."""
        return None if self.deadline_s is None else max(0.0, self.deadline_s - now_s)


T = TypeVar("T")
Story = Generator[Attempt, bytes, T]


class Core:
    """The state that the calls of one client share. Any thread."""

    def __init__(
        self,
        *,
        timeout: float | None,
        retry: RetryPolicy | None,
        clock: Callable[[], float] = time.monotonic,
        random_unit: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self._timeout = _checked(timeout)
        self._retry = retry or NO_RETRIES
        self._budget = RetryBudget(self._retry)
        self._random_unit = random_unit
        # The name of the only input by (model, version), for infer() with a bare array.
        self._only_input: dict[tuple[str, str], str] = {}

    def infer(
        self,
        model: str,
        inputs: Mapping[str, NDArray[Any]] | NDArray[Any],
        *,
        version: str,
        outputs: Sequence[str] | None,
        timeout: Timeout,
        request_id: str,
        priority: int,
        parameters: Mapping[str, Parameter] | None,
        datatypes: Mapping[str, str] | None,
    ) -> Story[InferResult]:
        deadline_s = self._deadline_s(timeout)
        if isinstance(inputs, np.ndarray):
            inputs = {(yield from self._name_of_only_input(model, version, deadline_s)): inputs}
        request = encode_request(
            model,
            inputs,
            version=version,
            outputs=outputs,
            request_id=request_id,
            priority=priority,
            parameters=parameters,
            datatypes=datatypes,
        )
        try:
            response = yield from self._exchange("ModelInfer", request, deadline_s)
        except CallError:
            # The model may have been replaced by one whose input has another name.
            self._only_input.pop((model, version), None)
            raise
        return decode_response(response)

    def server_live(self, timeout: Timeout) -> Story[bool]:
        response = yield from self._control("ServerLive", self._deadline_s(timeout))
        return bool(response.live)

    def server_ready(self, timeout: Timeout) -> Story[bool]:
        response = yield from self._control("ServerReady", self._deadline_s(timeout))
        return bool(response.ready)

    def model_ready(self, model: str, version: str, timeout: Timeout) -> Story[bool]:
        deadline_s = self._deadline_s(timeout)
        response = yield from self._control("ModelReady", deadline_s, name=model, version=version)
        return bool(response.ready)

    def server_metadata(self, timeout: Timeout) -> Story[ServerMetadata]:
        response = yield from self._control("ServerMetadata", self._deadline_s(timeout))
        return ServerMetadata.of(response)

    def model_metadata(self, model: str, version: str, timeout: Timeout) -> Story[ModelMetadata]:
        return (yield from self._model_metadata(model, version, self._deadline_s(timeout)))

    def repository_index(self, ready_only: bool, timeout: Timeout) -> Story[tuple[ModelIndex, ...]]:
        deadline_s = self._deadline_s(timeout)
        response = yield from self._control("RepositoryIndex", deadline_s, ready=ready_only)
        return tuple(ModelIndex.of(model) for model in response.models)

    def _model_metadata(
        self, model: str, version: str, deadline_s: float | None
    ) -> Story[ModelMetadata]:
        response = yield from self._control(
            "ModelMetadata", deadline_s, name=model, version=version
        )
        return ModelMetadata.of(response)

    def _name_of_only_input(self, model: str, version: str, deadline_s: float | None) -> Story[str]:
        key = (model, version)
        name = self._only_input.get(key)
        if name is None:
            metadata = yield from self._model_metadata(model, version, deadline_s)
            name = self._only_input[key] = _only_input(model, metadata.inputs)
        return name

    def _control(self, method: str, deadline_s: float | None, **fields: Any) -> Story[Any]:
        request = getattr(_messages, f"{method}Request")(**fields).SerializeToString()
        response = yield from self._exchange(method, request, deadline_s)
        try:
            return getattr(_messages, f"{method}Response").FromString(response)
        except Exception as error:  # DecodeError's home moved between versions of protobuf
            raise ResponseError(f"{len(response)} bytes that are no {method}Response") from error

    def _exchange(self, method: str, request: bytes, deadline_s: float | None) -> Story[bytes]:
        """One call with its retries; the last failure is the one that is raised."""
        delay_s = 0.0
        attempts = 0
        while True:
            try:
                response = yield Attempt(
                    method=method, request=request, delay_s=delay_s, deadline_s=deadline_s
                )
            except CallError as error:
                attempts += 1
                retry_s = self._delay_before_retry_s(error, attempts, deadline_s)
                if retry_s is None:
                    raise
                delay_s = retry_s
            else:
                self._budget.give_back()
                return response

    def _delay_before_retry_s(
        self, error: CallError, attempts: int, deadline_s: float | None
    ) -> float | None:
        delay_s = retry_delay_s(self._retry, error, attempts=attempts, random=self._random_unit())
        if delay_s is None:
            return None
        # What the server said is worth more than a deadline error of our own making.
        if deadline_s is not None and self.clock() + delay_s >= deadline_s:
            return None
        return delay_s if self._budget.take() else None

    def _deadline_s(self, timeout: Timeout) -> float | None:
        seconds = self._timeout if isinstance(timeout, ClientTimeout) else _checked(timeout)
        return None if seconds is None else self.clock() + seconds


def _checked(timeout: float | None) -> float | None:
    if timeout is not None and not timeout > 0:  # nan is not
        raise InputError(f"timeout is {timeout}, seconds above 0 or None are needed")
    return timeout


def _only_input(model: str, inputs: Sequence[TensorMetadata]) -> str:
    if len(inputs) != 1:
        names = ", ".join(repr(tensor.name) for tensor in inputs)
        raise InputError(
            f"model {model!r} has {len(inputs)} inputs ({names}): "
            "pass a dict of arrays by these names"
        )
    return inputs[0].name
