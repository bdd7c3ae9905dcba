"""Arrays to the bytes of a ModelInferRequest, and those of a ModelInferResponse to arrays. PURE.

Each input is copied once, into the serialized message: the tensors are appended to it by hand
(they are its last field), instead of passing through protobuf, which would copy them twice more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import InputError, ResponseError
from ._messages import ModelInferRequest, ModelInferResponse

_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in _DTYPES.items()}

_RAW_INPUT_TAG = b"\x3a"  # field 7, length-delimited
_MESSAGE_SIZE_MAX = 2**31 - 1  # protobuf's own limit, in bytes


class InferResult(Mapping[str, NDArray[Any]]):
    """The outputs of one inference by name, in the server's order.

    The arrays are read-only views of the received bytes and keep them alive; `.copy()` one to
    change it or to let go of the rest.

    Attributes:
        model: the name of the model that answered.
        version: its version.
        request_id: what the request gave as its id.
    """

    __slots__ = ("_outputs", "model", "request_id", "version")

    def __init__(
        self, outputs: dict[str, NDArray[Any]], *, model: str, version: str, request_id: str
    ) -> None:
        self._outputs = outputs
        self.model = model
        self.version = version
        self.request_id = request_id

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self._outputs[name]
        except KeyError:
            known = ", ".join(repr(output) for output in self._outputs) or "none"
            raise KeyError(f"no output {name!r} in the response; it has {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {a.dtype}{list(a.shape)}" for name, a in self.items())
        return f"InferResult(model={self.model!r}, version={self.version!r}, {{{shapes}}})"


def encode_request(
    model: str,
    inputs: Mapping[str, NDArray[Any]],
    *,
    version: str = "",
    outputs: Sequence[str] | None = None,
    request_id: str = "",
) -> bytes:
    """The serialized request. Raises InputError, naming the input that cannot be sent."""
    if isinstance(outputs, str):
        raise InputError(f"outputs: a list of names is needed, not the string {outputs!r}")
    request = ModelInferRequest(model_name=model, model_version=version, id=request_id)
    tensors: list[NDArray[Any]] = []
    for name, value in inputs.items():
        array, datatype = _sendable(name, value)
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        tensors.append(array)
    for name in outputs or ():
        request.outputs.add(name=name)
    pieces: list[Any] = [request.SerializeToString()]
    for array in tensors:
        pieces += (_RAW_INPUT_TAG, _varint(array.nbytes), array.reshape(-1).view(np.uint8))
    size = sum(len(piece) for piece in pieces)
    if size > _MESSAGE_SIZE_MAX:
        raise InputError(f"the request has {size} bytes, a message at most {_MESSAGE_SIZE_MAX}")
    return b"".join(pieces)


def decode_response(data: bytes) -> InferResult:
    """The arrays of a serialized response. Raises ResponseError."""
    try:
        response = ModelInferResponse.FromString(data)
    except Exception as error:  # DecodeError's home moved between versions of protobuf
        raise ResponseError(f"{len(data)} bytes that are no ModelInferResponse") from error
    tensors, raw = response.outputs, response.raw_output_contents
    if len(tensors) != len(raw):
        raise ResponseError(
            f"{len(tensors)} outputs with {len(raw)} raw_output_contents: one for each is needed"
        )
    outputs = {
        tensor.name: _array(tensor.name, tensor.datatype, tuple(tensor.shape), contents)
        for tensor, contents in zip(tensors, raw, strict=True)
    }
    return InferResult(
        outputs,
        model=response.model_name,
        version=response.model_version,
        request_id=response.id,
    )


def _sendable(name: str, value: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """The array in the protocol's layout (little-endian, row-major), and its datatype."""
    if not isinstance(value, np.ndarray):
        raise InputError(f"input {name!r}: a NumPy array is needed, not {type(value).__name__}")
    dtype = value.dtype.newbyteorder("<")
    datatype = _NAMES.get(dtype)
    if datatype is None:
        raise InputError(f"input {name!r}: dtype {value.dtype} has no counterpart in the protocol")
    # Not ascontiguousarray, which would turn a scalar's shape () into (1,).
    return np.asarray(value, dtype=dtype, order="C"), datatype


def _array(name: str, datatype: str, shape: tuple[int, ...], contents: bytes) -> NDArray[Any]:
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        raise ResponseError(f"output {name!r}: datatype {datatype!r} is not supported here")
    try:
        return np.frombuffer(contents, dtype=dtype).reshape(shape)
    except ValueError as error:
        raise ResponseError(
            f"output {name!r}: {len(contents)} bytes in raw_output_contents for "
            f"{datatype} {list(shape)}"
        ) from error


def _varint(value: int) -> bytes:
    """protobuf's encoding of a length: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
