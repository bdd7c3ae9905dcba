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

from . import _messages
from ._errors import CallError, InputError, ResponseError
from ._inputs import Arrays, Inputs, are_named_arrays, arrays_of
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
        # What (model, version) takes, for infer() with other than a dict of arrays.
        self._declared: dict[tuple[str, str], tuple[TensorMetadata, ...]] = {}

    def infer(
        self,
        model: str,
        inputs: Inputs,
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
        if are_named_arrays(inputs):
            arrays = Arrays(by_name=inputs, datatypes={})
        else:
            arrays = yield from self._arrays(model, inputs, version, deadline_s)
        request = encode_request(
            model,
            arrays.by_name,
            version=version,
            outputs=outputs,
            request_id=request_id,
            priority=priority,
            parameters=parameters,
            datatypes={**arrays.datatypes, **(datatypes or {})},
        )
        try:
            response = yield from self._exchange("ModelInfer", request, deadline_s)
        except CallError:
            # The model may have been replaced by one with other inputs.
            self._declared.pop((model, version), None)
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

    def _arrays(
        self, model: str, inputs: Inputs, version: str, deadline_s: float | None
    ) -> Story[Arrays]:
        """As the model takes them; what does not fit what it once said has it asked again."""
        key = (model, version)
        declared = self._declared.get(key)
        if declared is not None:
            try:
                return arrays_of(inputs, model, declared)
            except InputError:
                del self._declared[key]
        metadata = yield from self._model_metadata(model, version, deadline_s)
        arrays = arrays_of(inputs, model, metadata.inputs)
        self._declared[key] = metadata.inputs
        return arrays

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
