"""Protobuf messages of the Open Inference Protocol for the benchmarks, without generated modules.

protoc turns proto/open_inference_grpc.proto into a descriptor set, which is loaded into a pool of
its own: any protoc works with any protobuf runtime, and nothing clashes with other definitions of
the package `inference` in this process. Runs in the harness and in the Python contenders.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parent.parent
INFER_PATH = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """The two message classes of ModelInfer."""

    request: Any
    response: Any


def load(descriptor_file: Path) -> Messages:
    """Reads what `compile_descriptors` wrote."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_file.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)

    def message(name: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}"))

    return Messages(request=message("ModelInferRequest"), response=message("ModelInferResponse"))


def compile_descriptors(descriptor_file: Path) -> Path:
    """Writes the descriptor set with protoc, which `make setup` installs as a system package."""
    descriptor_file.parent.mkdir(parents=True, exist_ok=True)
    proto_dir = ROOT / "proto"
    subprocess.run(
        [
            "protoc",
            f"-I{proto_dir}",
            "--include_imports",
            f"--descriptor_set_out={descriptor_file}",
            str(proto_dir / "open_inference_grpc.proto"),
        ],
        check=True,
    )
    return descriptor_file


def infer_request(
    messages: Messages, *, model: str, tensor: str, shape: Sequence[int], raw: bytes
) -> Any:
    """A ModelInferRequest with one FP32 input, as a client would send it."""
    request = messages.request(model_name=model, id="1")
    request.inputs.add(name=tensor, datatype="FP32", shape=shape)
    request.raw_input_contents.append(raw)
    return request


def infer_response(
    messages: Messages, *, model: str, version: str, tensor: str, shape: Sequence[int], raw: bytes
) -> Any:
    """A ModelInferResponse with one FP32 output, as a server should send it."""
    response = messages.response(model_name=model, model_version=version)
    response.outputs.add(name=tensor, datatype="FP32", shape=shape)
    response.raw_output_contents.append(raw)
    return response


def echo_of(messages: Messages, request: Any) -> Any:
    """What every echo contender must answer to `request`."""
    response = messages.response(model_name=request.model_name, id=request.id)
    source = request.inputs[0]
    response.outputs.add(name=source.name, datatype=source.datatype, shape=source.shape)
    response.raw_output_contents.extend(request.raw_input_contents)
    return response
