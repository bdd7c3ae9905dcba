"""The client: one channel of grpcio, one method for each call. Any thread.

Must not know: NumPy's and protobuf's details of an inference, which are wire's.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any, Self

import grpc
import numpy as np
from numpy.typing import NDArray

from . import _messages
from ._errors import InputError, PenstockClientError, error_from_rpc
from .wire import InferResult, decode_response, encode_request

_CHANNEL_OPTIONS = (
    # grpcio would refuse what is larger than 4 MiB; what is too large is the server's decision.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Two clients in one process would otherwise share one connection.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """What the server says of itself."""

    name: str
    version: str
    extensions: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TensorMetadata:
    """An input or output as the model declares it; -1 in `shape` is a free dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What the server says of a model."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class _ClientTimeout:
    """Stands for: the client's own timeout (None already means: no timeout)."""


_CLIENT_TIMEOUT = _ClientTimeout()
_Timeout = float | None | _ClientTimeout


class Client:
    """A connection to one server. May be used by many threads at once; does not survive a fork.

    Connects with the first call, and again by itself after the connection broke.

        with Client("127.0.0.1:8001") as client:
            result = client.infer("digits", {"image": image})
    """

    def __init__(self, address: str, *, timeout: float | None = 60.0) -> None:
        """`address` is "host:port"; `timeout` in seconds is that of every call, None is none."""
        self._timeout = timeout
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._infer = self._channel.unary_unary(f"/{_messages.SERVICE}/ModelInfer")
        # The name of the only input by (model, version), for infer() with a bare array.
        self._only_input: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection for good; calls under way fail with CANCELLED."""
        self._channel.close()

    def infer(
        self,
        model: str,
        inputs: Mapping[str, NDArray[Any]] | NDArray[Any],
        *,
        version: str = "",
        outputs: Sequence[str] | None = None,
        timeout: _Timeout = _CLIENT_TIMEOUT,
        request_id: str = "",
    ) -> InferResult:
        """Runs the model once and blocks until its outputs are there.

        Args:
            model: the model's name.
            inputs: an array for each of the model's inputs, of exactly its dtype and rank; the
                first dimension is the rows where the model is batched. A bare array is the input
                of a model that has only one (its name is asked for once, then remembered).
            version: the model's version; empty for the one that the server would choose.
            outputs: names of the outputs wanted; None for all.
            timeout: seconds for the whole call, instead of the client's; None waits for ever.
            request_id: comes back in the result; for logs.

        Returns:
            The outputs by name; read-only arrays.

        Raises:
            InputError: the inputs cannot be sent.
            CallError: the server refused or failed; the subclass says what to do.
            ResponseError: the answer cannot be read.
        """
        if isinstance(inputs, np.ndarray):
            inputs = {self._name_of_only_input(model, version, timeout): inputs}
        request = encode_request(
            model, inputs, version=version, outputs=outputs, request_id=request_id
        )
        try:
            response = self._infer(request, timeout=self._seconds(timeout))
        except grpc.RpcError as error:
            # The model may have been replaced by one whose input has another name.
            self._only_input.pop((model, version), None)
            raise error_from_rpc(error) from None
        except ValueError as error:  # grpcio's, from a closed channel
            raise PenstockClientError("the client is closed") from error
        return decode_response(response)

    def server_live(self, *, timeout: _Timeout = _CLIENT_TIMEOUT) -> bool:
        """Whether the server says that it is live; raises CallError where none answers."""
        return bool(self._call("ServerLive", timeout).live)

    def server_ready(self, *, timeout: _Timeout = _CLIENT_TIMEOUT) -> bool:
        """Whether every model that the server was given can be called; raises CallError."""
        return bool(self._call("ServerReady", timeout).ready)

    def model_ready(
        self, model: str, *, version: str = "", timeout: _Timeout = _CLIENT_TIMEOUT
    ) -> bool:
        """Whether the model can be called; raises CallError."""
        return bool(self._call("ModelReady", timeout, name=model, version=version).ready)

    def server_metadata(self, *, timeout: _Timeout = _CLIENT_TIMEOUT) -> ServerMetadata:
        """The server's name, version and extensions; raises CallError."""
        response = self._call("ServerMetadata", timeout)
        return ServerMetadata(
            name=response.name,
            version=response.version,
            extensions=tuple(response.extensions),
        )

    def model_metadata(
        self, model: str, *, version: str = "", timeout: _Timeout = _CLIENT_TIMEOUT
    ) -> ModelMetadata:
        """The model's versions, inputs and outputs; raises NotFoundError or another CallError."""
        response = self._call("ModelMetadata", timeout, name=model, version=version)
        return ModelMetadata(
            name=response.name,
            versions=tuple(response.versions),
            platform=response.platform,
            inputs=_tensors(response.inputs),
            outputs=_tensors(response.outputs),
        )

    def _call(self, method: str, timeout: _Timeout, **fields: str) -> Any:
        request = getattr(_messages, f"{method}Request")
        response = getattr(_messages, f"{method}Response")
        call = self._channel.unary_unary(
            f"/{_messages.SERVICE}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            return call(request(**fields), timeout=self._seconds(timeout))
        except grpc.RpcError as error:
            raise error_from_rpc(error) from None
        except ValueError as error:  # grpcio's, from a closed channel
            raise PenstockClientError("the client is closed") from error

    def _name_of_only_input(self, model: str, version: str, timeout: _Timeout) -> str:
        key = (model, version)
        name = self._only_input.get(key)
        if name is None:
            inputs = self.model_metadata(model, version=version, timeout=timeout).inputs
            if len(inputs) != 1:
                names = ", ".join(repr(tensor.name) for tensor in inputs)
                raise InputError(
                    f"model {model!r} has {len(inputs)} inputs ({names}): "
                    "pass a dict of arrays by these names"
                )
            name = self._only_input[key] = inputs[0].name
        return name

    def _seconds(self, timeout: _Timeout) -> float | None:
        return self._timeout if isinstance(timeout, _ClientTimeout) else timeout


def _tensors(tensors: Any) -> tuple[TensorMetadata, ...]:
    return tuple(
        TensorMetadata(name=tensor.name, datatype=tensor.datatype, shape=tuple(tensor.shape))
        for tensor in tensors
    )
