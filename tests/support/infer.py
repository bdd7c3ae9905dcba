"""ModelInfer messages from NumPy arrays and back, and what ONNX Runtime's own Python API says."""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from support import protos

DTYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
# Elements of BYTES tensors are bytes objects in arrays of dtype object.
_NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()} | {np.dtype(object): "BYTES"}

Arrays = dict[str, NDArray[Any]]


def make_request(
    model: str,
    inputs: Mapping[str, NDArray[Any]],
    *,
    outputs: Sequence[str] = (),
    datatype: str | None = None,
    **fields: Any,
) -> Any:
    """datatype replaces the one of the arrays. The fields are those of ModelInferRequest."""
    request = protos.message_class("inference.ModelInferRequest")(model_name=model, **fields)
    for name, value in inputs.items():
        request.inputs.add(name=name, datatype=datatype or _NAMES[value.dtype], shape=value.shape)
        request.raw_input_contents.append(raw_of(value))
    for name in outputs:
        request.outputs.add(name=name)
    return request


def raw_of(value: NDArray[Any]) -> bytes:
    if value.dtype != object:
        return value.tobytes()
    return b"".join(struct.pack("<I", len(element)) + element for element in value.flat)


def strings_of(raw: bytes) -> list[bytes]:
    """The elements of a BYTES tensor."""
    elements = []
    while raw:
        (size,) = struct.unpack_from("<I", raw)
        assert len(raw) >= 4 + size
        elements.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return elements


def arrays_of(response: Any) -> Arrays:
    """By name, in the response's order."""
    assert len(response.outputs) == len(response.raw_output_contents)
    return {
        output.name: _array_of(raw, output.datatype).reshape(tuple(output.shape))
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def _array_of(raw: bytes, datatype: str) -> NDArray[Any]:
    if datatype == "BYTES":
        return np.array(strings_of(raw), object)
    return np.frombuffer(raw, DTYPES[datatype])


def parse_response(data: bytes) -> Any:
    return protos.message_class("inference.ModelInferResponse").FromString(data)


@functools.lru_cache(maxsize=128)
def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread, as the server runs it: with more, ONNX Runtime may add up in another order.
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_reference(path: Path, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    session = _session(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))
