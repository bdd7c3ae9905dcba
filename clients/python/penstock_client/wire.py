"""Arrays to the bytes of a ModelInferRequest, and those of a ModelInferResponse to arrays. PURE.

For whoever sends these bytes by other means: load generators, recorders, other transports.

Each input is copied once, into the serialized message: the tensors are appended to it by hand
(they are its last field), instead of passing through protobuf, which would copy them twice more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _columns, _tensors
from ._errors import InputError, ResponseError
from ._messages import ModelInferRequest, ModelInferResponse
from ._metadata import TensorMetadata
from ._tensors import dtype_of

__all__ = [
    "InferResult",
    "Parameter",
    "decode_response",
    "dtype_of",
    "encode_request",
    "from_columns",
]

Parameter = bool | int | float | str

_RAW_INPUT_TAG = b"\x3a"  # field 7, length-delimited
_MESSAGE_SIZE_MAX = 2**31 - 1  # protobuf's own limit, in bytes


class InferResult(Mapping[str, NDArray[Any]]):
    """The outputs of one inference by name, in the server's order.

    The arrays are read-only. Those of numbers are views of the received bytes and keep them alive;
    `.copy()` one to change it or to let go of the rest. BYTES outputs are arrays of `bytes`
    objects, BF16 outputs float32.

    Attributes:
        model: the name of the model that answered.
        version: its version.
        request_id: what the request gave as its id.
        datatypes: the protocol's datatype of each output.
        parameters: what the server added to the answer.
    """

    __slots__ = ("_outputs", "datatypes", "model", "parameters", "request_id", "version")

    def __init__(
        self,
        outputs: dict[str, NDArray[Any]],
        *,
        model: str,
        version: str,
        request_id: str,
        datatypes: Mapping[str, str],
        parameters: Mapping[str, Parameter],
    ) -> None:
        self._outputs = outputs
        self.model = model
        self.version = version
        self.request_id = request_id
        self.datatypes = datatypes
        self.parameters = parameters

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
    priority: int = 0,
    parameters: Mapping[str, Parameter] | None = None,
    datatypes: Mapping[str, str] | None = None,
) -> bytes:
    """The serialized request; the arguments are those of `Client.infer`.

    Raises InputError, naming the input that cannot be sent.
    """
    if isinstance(outputs, str):
        raise InputError(f"outputs: a list of names is needed, not the string {outputs!r}")
    datatypes = datatypes or {}
    for name in datatypes:
        if name not in inputs:
            raise InputError(f"datatypes: there is no input {name!r}")
    request = ModelInferRequest(model_name=model, model_version=version, id=request_id)
    contents: list[bytes | NDArray[np.uint8]] = []
    for name, array in inputs.items():
        datatype, raw = _encoded(name, array, datatypes.get(name))
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        contents.append(raw)
    for name in outputs or ():
        request.outputs.add(name=name)
    _set_parameters(request.parameters, priority, parameters or {})
    pieces: list[Any] = [request.SerializeToString()]
    for raw in contents:
        pieces += (_RAW_INPUT_TAG, _varint(len(raw)), raw)
    size = sum(len(piece) for piece in pieces)
    if size > _MESSAGE_SIZE_MAX:
        raise InputError(f"the request has {size} bytes, a message at most {_MESSAGE_SIZE_MAX}")
    return b"".join(pieces)


def from_columns(
    data: Any, inputs: Sequence[TensorMetadata] | None = None
) -> dict[str, NDArray[Any]]:
    """The array of each column by its name, as `Client.infer` makes them of a frame.

    data: a DataFrame or another table, a dict of columns, a list of dicts (rows), a list of columns
    in the order of `inputs`, or the one column of a model with one input. NumPy arrays are columns
    like others here. inputs: as `Client.model_metadata` has them; columns become their datatypes,
    and (n, 1) where they have that shape; BF16 is float32, for `encode_request` with `datatypes`.
    None takes each column's own datatype and (n,).

    Raises InputError, naming the column and the row.
    """
    try:
        return _columns.from_columns(data, inputs)
    except ValueError as error:
        raise InputError(f"{error}") from None


def decode_response(data: bytes) -> InferResult:
    """The arrays of a serialized response. Raises ResponseError."""
    try:
        response = ModelInferResponse.FromString(data)
    except Exception as error:  # DecodeError's home moved between versions of protobuf
        raise ResponseError(f"{len(data)} bytes that are no ModelInferResponse") from error
    tensors, raw = response.outputs, response.raw_output_contents
    if raw and len(tensors) != len(raw):
        raise ResponseError(
            f"{len(tensors)} outputs with {len(raw)} raw_output_contents: one for each is needed"
        )
    outputs: dict[str, NDArray[Any]] = {}
    for index, tensor in enumerate(tensors):
        if tensor.name in outputs:
            raise ResponseError(f"output {tensor.name!r} comes twice")
        outputs[tensor.name] = _decoded(tensor, raw[index] if raw else None)
    return InferResult(
        outputs,
        model=response.model_name,
        version=response.model_version,
        request_id=response.id,
        datatypes={tensor.name: tensor.datatype for tensor in tensors},
        parameters=_parameters_of(response.parameters),
    )


def _encoded(
    name: str, array: NDArray[Any], datatype: str | None
) -> tuple[str, bytes | NDArray[np.uint8]]:
    if not isinstance(array, np.ndarray):
        raise InputError(f"input {name!r}: a NumPy array is needed, not {type(array).__name__}")
    try:
        return _tensors.encode(array, datatype)
    except ValueError as error:
        raise InputError(f"input {name!r}: {error}") from None


def _decoded(tensor: Any, raw: bytes | None) -> NDArray[Any]:
    shape = tuple(tensor.shape)
    try:
        if raw is None:
            return _tensors.decode_typed(tensor.datatype, shape, tensor.contents)
        return _tensors.decode_raw(tensor.datatype, shape, raw)
    except ValueError as error:
        raise ResponseError(f"output {tensor.name!r}: {error}") from None


def _set_parameters(target: Any, priority: int, parameters: Mapping[str, Parameter]) -> None:
    if priority:
        if "priority" in parameters:
            raise InputError("priority is given twice: as an argument and in parameters")
        if not 0 < priority < 2**64:
            raise InputError(f"priority is {priority}, 0 (the model's own) or more is needed")
        target["priority"].uint64_param = priority
    for name, value in parameters.items():
        if isinstance(value, bool):
            target[name].bool_param = value
        elif isinstance(value, str):
            target[name].string_param = value
        elif isinstance(value, float):
            target[name].double_param = value
        elif isinstance(value, int) and -(2**63) <= value < 2**64:
            field = "int64_param" if value < 2**63 else "uint64_param"
            setattr(target[name], field, value)
        else:
            raise InputError(
                f"parameter {name!r}: a bool, an int of 64 bits, a float or a str is needed, "
                f"not {value!r}"
            )


def _parameters_of(parameters: Any) -> dict[str, Parameter]:
    """Those with a value; a parameter without one says nothing."""
    return {
        name: getattr(value, field)
        for name, value in parameters.items()
        if (field := value.WhichOneof("parameter_choice"))
    }


def _varint(value: int) -> bytes:
    """protobuf's encoding of a length: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
