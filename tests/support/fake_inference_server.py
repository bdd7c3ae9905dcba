"""A small inference server on grpcio, for tests of clients: real sockets, no model.

ModelInfer answers with its inputs as outputs. A test may replace the behaviour of any method, and
reads what arrived from `requests`. Runs on a thread of its own; closed by the with statement.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from types import TracebackType
from typing import Any, Self

import grpc
from support import protos

Behaviour = Callable[[Any, grpc.ServicerContext], Any]


class FakeInferenceServer:
    """`address` is where it listens; `behaviours` maps method names to functions of a request
    and grpcio's context; `requests` are (method, request) in order of arrival."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.behaviours: dict[str, Behaviour] = {
            "ServerLive": lambda _request, _context: _message("ServerLiveResponse", live=True),
            "ServerReady": lambda _request, _context: _message("ServerReadyResponse", ready=True),
            "ModelReady": lambda _request, _context: _message("ModelReadyResponse", ready=True),
            "ServerMetadata": _server_metadata,
            "ModelMetadata": _model_metadata,
            "RepositoryIndex": _repository_index,
            "ModelInfer": echo,
        }
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=4),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
        )
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                self._handler(method.name),
                protos.message_class(method.input_type.full_name).FromString,
                protos.message_class(method.output_type.full_name).SerializeToString,
            )
            for method in protos.methods()
            if method.name in self.behaviours
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(protos.INFERENCE, handlers),)
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """At once; calls under way are cancelled."""
        self._server.stop(grace=None).wait()

    def _handler(self, method: str) -> Behaviour:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            self.requests.append((method, request))
            return self.behaviours[method](request, context)

        return handle


def echo(request: Any, _context: grpc.ServicerContext) -> Any:
    """ModelInfer: the inputs (or those of them that are asked for) come back as outputs."""
    response = _message(
        "ModelInferResponse",
        model_name=request.model_name,
        model_version=request.model_version or "1",
        id=request.id,
    )
    wanted = {output.name for output in request.outputs}
    for tensor, contents in zip(request.inputs, request.raw_input_contents, strict=True):
        if wanted and tensor.name not in wanted:
            continue
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        response.raw_output_contents.append(contents)
    return response


def _server_metadata(_request: Any, _context: grpc.ServicerContext) -> Any:
    return _message("ServerMetadataResponse", name="fake", version="7", extensions=["parameters"])


def _model_metadata(request: Any, _context: grpc.ServicerContext) -> Any:
    response = _message("ModelMetadataResponse", name=request.name, platform="none")
    response.versions.append(request.version or "1")
    response.inputs.add(name="x", datatype="FP32", shape=[-1, 4])
    response.outputs.add(name="x", datatype="FP32", shape=[-1, 4])
    return response


def _repository_index(_request: Any, _context: grpc.ServicerContext) -> Any:
    response = _message("RepositoryIndexResponse")
    response.models.add(name="m", version="1", state="UNAVAILABLE", reason="no file")
    return response


def _message(name: str, /, **fields: Any) -> Any:
    return protos.message_class(f"inference.{name}")(**fields)
