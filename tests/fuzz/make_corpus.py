"""Seeds for the fuzz targets of native/fuzz, from what unmodified clients and a real server say to
each other: every message as it travelled for `wire`, every connection's bytes for `connection`,
and the test models for `onnx_scan`.

    PYTHONPATH=tests .venv/bin/python tests/fuzz/make_corpus.py build/test-models

Writes tests/fuzz/corpus/*/seed-*, replacing those of before; what the fuzzer found stays. Only
needed again when a message or a client changes: what it wrote is committed.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc as triton
from conftest import running_servers
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from hyperframe.frame import DataFrame, Frame
from penstock_client import Client
from support import infer, protos, raw_http2

CORPUS = Path(__file__).parent / "corpus"
SEED_BYTES_MAX = 4096
TYPES = ("fp32", "int64", "bool", "fp16", "bytes")
# The order of kOperations in native/fuzz/connection_fuzz.cc.
RAW, PREFACE, FRAME, BEGIN, MESSAGE, RESET, WINDOW, TIME = range(8)
ANSWER, LET_GO, READ, READ_ALL, GOAWAY, LAST_GOAWAY, DISCONNECT, RECONNECT = range(8, 16)


class Recorder:
    """Stands between client and server, and keeps what each connection said in both directions."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.conversations: list[tuple[bytearray, bytearray]] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        host, _, port = self._server.rpartition(":")
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection((host, int(port)))
            asked, answered = bytearray(), bytearray()
            self.conversations.append((asked, answered))
            for source, target, record in ((client, server, asked), (server, client, answered)):
                thread = threading.Thread(target=self._copy, args=(source, target, record))
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket, record: bytearray) -> None:
        while piece := source.recv(1 << 16):
            record += piece
            target.sendall(piece)
        with contextlib.suppress(OSError):  # it has gone already
            target.shutdown(socket.SHUT_WR)

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()


def ask_with_grpcio(address: str) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        call = protos.unary_stub(channel, "ModelInfer")
        ones = np.ones((2, 4), np.float32)
        call(infer.make_request("two_by_two", {"a": ones, "b": ones}, id="7", outputs=["sum"]))
        call.future(infer.make_request("mlp", {"x": np.ones((3, 64), np.float32)})).cancel()
        ask_typed(call)
        for method in ("ServerLive", "ServerReady", "ServerMetadata"):
            stub = protos.unary_stub(channel, method)
            stub(protos.message_class(f"inference.{method}Request")(), timeout=30.0)
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        reflection = ProtoReflectionDescriptorDatabase(channel)
        for service in reflection.get_services():
            reflection.FindFileContainingSymbol(service)


def ask_typed(call: Any) -> None:
    """Every field of typed contents, parameters of every kind; right or refused."""
    kinds = {
        "bool_contents": [True, False],
        "int_contents": [1, -1],
        "int64_contents": [2**40, -1],
        "uint_contents": [1, 2],
        "uint64_contents": [2**63, 1],
        "fp32_contents": [1.5, -0.0],
        "fp64_contents": [1.5, 1e300],
        "bytes_contents": [b"a\0b", b""],
    }
    names = ("BOOL", "INT32", "INT64", "UINT32", "UINT64", "FP32", "FP64", "BYTES")
    for (field, values), datatype in zip(kinds.items(), names, strict=True):
        request = protos.message_class("inference.ModelInferRequest")(model_name=datatype)
        request.parameters["priority"].uint64_param = 1
        request.parameters["timeout"].int64_param = 10**6
        request.parameters["text"].string_param = "one"
        request.parameters["half"].double_param = 0.5
        tensor = request.inputs.add(name="x", datatype=datatype, shape=[1, 2])
        tensor.parameters["flag"].bool_param = True
        getattr(tensor.contents, field).extend(values)
        try:
            call(request, timeout=30.0)
        except grpc.RpcError as refused:
            assert refused.code() is not grpc.StatusCode.UNAVAILABLE  # noqa: PT017, no test


def ask_with_tritonclient(address: str) -> None:
    with triton.InferenceServerClient(address) as client:
        client.get_server_metadata()
        client.get_model_metadata("mlp")
        client.is_model_ready("mlp", "1")
        for datatype, values in {
            "FP32": np.ones((1, 3), np.float32),
            "INT64": np.array([[1, -1, 2**40]]),
            "BOOL": np.array([[True, False, True]]),
            "FP16": np.ones((1, 3), np.float16),
            "BYTES": np.array([[b"a\0b", b"", b"text"]], object),
        }.items():
            tensor = triton.InferInput("x", list(values.shape), datatype)
            tensor.set_data_from_numpy(values)
            client.infer(
                f"identity_{datatype.lower()}",
                [tensor],
                request_id=datatype,
                outputs=[triton.InferRequestedOutput("y")],
                parameters={"mine": 1},
                client_timeout=30.0,
            )


def ask_with_penstock_client(address: str) -> None:
    with Client(address) as client:
        client.infer("mlp", {"x": np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 64)})


def messages_of(stream_bytes: bytes) -> Iterator[bytes]:
    """The gRPC messages inside the DATA frames of one direction of a connection."""
    rest = memoryview(stream_bytes.removeprefix(raw_http2.PREFACE))
    bodies: dict[int, bytes] = defaultdict(bytes)
    while len(rest) >= 9:
        frame, length = Frame.parse_frame_header(rest[:9])
        frame.parse_body(rest[9 : 9 + length])
        rest = rest[9 + length :]
        if isinstance(frame, DataFrame):
            bodies[frame.stream_id] += frame.data
    for body in bodies.values():
        while len(body) >= 5:
            length = int.from_bytes(body[1:5], "big")
            yield body[5 : 5 + length]
            body = body[5 + length :]


def word(value: int) -> bytes:
    return value.to_bytes(2, "big")


def script_of(client_bytes: bytes, slice_size: int) -> bytes:
    """A connection as operations: its bytes in slices, read and answered between."""
    script = b""
    for start in range(0, len(client_bytes), 700):
        part = client_bytes[start : start + 700]
        script += bytes([RAW, slice_size - 1]) + word(len(part)) + part
        script += bytes([READ_ALL, ANSWER, 2]) + word(5) + bytes([ANSWER, 3]) + word(5)
    return script + bytes([READ_ALL])


# What a client is unlikely to do in one recording, in the target's own operations.
SCRIPTS = {
    # A large message that waits for its window, then for the budget; a large answer, read slowly.
    "large": bytes([PREFACE, BEGIN, 0, MESSAGE, 0x09, *word(20_000), READ_ALL])
    + bytes([BEGIN, 0, MESSAGE, 0, *word(50_000), *word(4_000), READ_ALL, MESSAGE, 2, 0, 0])
    + bytes([*word(25_000), ANSWER, 2, *word(24_000)])
    + bytes([READ, 200, READ, 255, WINDOW, 1, *word(60_000), WINDOW, 0, *word(60_000), READ_ALL]),
    "deadlines": bytes([PREFACE, BEGIN, 4, 2]) + b"5m" + bytes([MESSAGE, 9, *word(3)])
    + bytes([BEGIN, 5, 3]) + b"10S" + bytes([TIME, 1 + 4 * 9, READ_ALL, LET_GO, 0, TIME, 0xFF]),
    "slow": bytes([PREFACE, BEGIN, 0, MESSAGE, 0, *word(100), *word(2), *[TIME, 0xA3] * 4]),
    "streaming": bytes([PREFACE, BEGIN, 1, *[MESSAGE, 1, *word(2)] * 5, READ, 1, RESET, 8, LET_GO])
    + bytes([1, BEGIN, 1, MESSAGE, 9, *word(9), ANSWER, 5, 0, 0, READ_ALL]),
    "shutdown": bytes([PREFACE, BEGIN, 0, GOAWAY, READ_ALL, BEGIN, 0, LAST_GOAWAY, MESSAGE, 9])
    + bytes([*word(1), ANSWER, 2, *word(1), READ_ALL, RECONNECT, BEGIN, 0x20, READ_ALL]),
    "released": bytes([PREFACE, LET_GO, 2, LET_GO, 3, BEGIN, 0, MESSAGE, 9, *word(9), RESET, 8])
    + bytes([BEGIN, 4, 2]) + b"5m" + bytes([MESSAGE, 9, *word(3), TIME, 1 + 4 * 9, READ_ALL])
    + bytes([BEGIN, 1, MESSAGE, 1, *word(2), MESSAGE, 1, *word(60_000), DISCONNECT]),
    "lost": bytes([PREFACE, BEGIN, 0, MESSAGE, 9, *word(9), DISCONNECT, RECONNECT, BEGIN, 0])
    + bytes([MESSAGE, 9, *word(9), DISCONNECT, ANSWER, 0x12, *word(9), LET_GO, 0]),
    "compressed": bytes([PREFACE, BEGIN, 8, MESSAGE, 0x0D, *word(3), BEGIN, 0, MESSAGE, 0x0D, 0, 3])
    + bytes([READ_ALL, FRAME, 0, 9, 1, 3, 0, 0, 0, BEGIN, 0xC0, BEGIN, 2, READ_ALL]),
}  # fmt: skip


def write(target: str, seeds: dict[str, bytes]) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("seed-*"):
        old.unlink()
    for name, data in seeds.items():
        if 0 < len(data) <= SEED_BYTES_MAX:
            (folder / f"seed-{name}").write_bytes(data)
    print(f"{target}: {len(list(folder.glob('seed-*')))} seeds")


def named_by_content(pieces: list[bytes]) -> dict[str, bytes]:
    return {hashlib.sha1(piece).hexdigest()[:10]: piece for piece in pieces}


@contextlib.contextmanager
def recorded(test_models: Path) -> Iterator[Recorder]:
    names = [
        "mlp",
        "two_by_two",
        *(f"identity_{kind}" for kind in ("fp32", "int64", "bool", "bytes")),
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_servers(test_models, Path(folder)) as start,
    ):
        recorder = Recorder(start(*names).address)
        yield recorder
        recorder.finish()


def main() -> None:
    test_models = Path(sys.argv[1])
    clients: list[Callable[[str], None]] = [
        ask_with_grpcio,
        ask_with_tritonclient,
        ask_with_penstock_client,
    ]
    with recorded(test_models) as recorder:
        for ask in clients:
            ask(recorder.address)
    messages: list[bytes] = []
    scripts = dict(SCRIPTS)
    for number, (asked, answered) in enumerate(recorder.conversations):
        messages += [*messages_of(bytes(asked)), *messages_of(bytes(answered))]
        scripts[f"recorded-{number}"] = script_of(bytes(asked), 256)
        scripts[f"sliced-{number}"] = script_of(bytes(asked)[:900], 1 + number * 6)
    write("wire", named_by_content(messages))
    write("connection", scripts)
    models = {path.stem: path.read_bytes() for path in test_models.glob("*.onnx")}
    write("onnx_scan", models)


if __name__ == "__main__":
    main()
