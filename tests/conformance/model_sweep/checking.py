"""Are answers ONNX Runtime's own, bit for bit, at the batch size and place that really ran? The
server says which, where it is started with --report-batch-size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from conformance.model_sweep.served_model import Arrays
from numpy.typing import NDArray
from support import infer

CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents",
    "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
    "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: of a model in a file, with so many rows, 0 where it has none."""

    model: Path
    rows: int
    inputs: Arrays
    # Outputs that are no tensors, as those that they are served as.
    flatten: Callable[[dict[str, Any]], Arrays] | None = None

    @property
    def name(self) -> str:
        return self.model.stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    outputs: Arrays
    batch_size: int
    batch_row: int


def datatype_of(value: NDArray[Any]) -> str:
    return infer.make_request("", {"x": value}).inputs[0].datatype  # type: ignore[no-any-return]


def wire_form(value: NDArray[Any]) -> NDArray[Any]:
    """Strings as bytes, as they travel; all else as it is."""
    if value.dtype != object:
        return value
    encoded = [one.encode() if isinstance(one, str) else bytes(one) for one in value.flat]
    return np.array([*encoded, None], object)[:-1].reshape(value.shape)


def batch_of(one: Asked, answer: Answered) -> Arrays:
    """The inputs of the run that answered the request. Whatever stands beside a row of a batch does
    not change it; here it is copies of the first."""
    if not shares(one, answer):
        return one.inputs
    before, behind = answer.batch_row, answer.batch_size - answer.batch_row - one.rows
    return {
        name: np.concatenate([value[:1]] * before + [value] + [value[:1]] * behind)
        for name, value in one.inputs.items()
    }


def shares(one: Asked, answer: Answered) -> bool:
    return 0 < one.rows < answer.batch_size


def reference(one: Asked, answer: Answered, offset: int | None = None) -> Arrays:
    """ONNX Runtime's answer to the request, alone or at its place in a batch of that size; with
    inputs at addresses that are `offset` past a multiple of 64."""
    inputs = batch_of(one, answer)
    if offset is not None:
        inputs = {name: placed(value, offset) for name, value in inputs.items()}
    outputs: dict[str, Any] = infer.run_reference(one.model, inputs)
    if one.flatten is not None:
        outputs = one.flatten(outputs)
    if shares(one, answer):
        mine = slice(answer.batch_row, answer.batch_row + one.rows)
        outputs = {name: value[mine] for name, value in outputs.items()}
    return {name: wire_form(np.asarray(value)) for name, value in outputs.items()}


def placed(value: NDArray[Any], offset: int) -> NDArray[Any]:
    if value.dtype == object:
        return value
    memory = np.empty(value.nbytes + 128, np.uint8)
    start = (offset - memory.ctypes.data) % 64
    copy = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    copy[...] = value
    return copy


def difference(got: NDArray[Any], expected: NDArray[Any]) -> str:
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{got.dtype} {got.shape}, expected {expected.dtype} {expected.shape}"
    same = got.tolist() == expected.tolist() if got.dtype == object else None
    if same is None:
        same = got.tobytes() == expected.tobytes()
    return "" if same else f"{got.tolist()}, expected {expected.tolist()}"


def answered(outputs: Arrays, parameters: Any) -> Answered:
    return Answered(
        outputs=outputs,
        batch_size=parameters["penstock_batch_size"].int64_param,
        batch_row=parameters["penstock_batch_row"].int64_param,
    )


def grpcio_answer(response: Any) -> Answered:
    return answered(infer.arrays_of(response), response.parameters)


def raw_request(one: Asked) -> Any:
    return infer.make_request(
        one.name, {name: wire_form(value) for name, value in one.inputs.items()}
    )


def typed_request(one: Asked) -> Any:
    """Typed contents where every input has them; FP16 travels raw only."""
    request = raw_request(one)
    if any(tensor.datatype not in CONTENTS for tensor in request.inputs):
        return request
    request.ClearField("raw_input_contents")
    for tensor, value in zip(request.inputs, one.inputs.values(), strict=True):
        field = getattr(tensor.contents, CONTENTS[tensor.datatype])
        field.extend(wire_form(value).ravel().tolist())
        tensor.contents.SetInParent()
    return request


def problems_of(one: Asked, answer: Answered) -> list[str]:
    """What is wrong with an answer; empty where nothing is.

    Some kernels add up in an order that depends on where the input lies: a sum of four floats may
    differ in its last bit between two runs of ONNX Runtime's own. So the answer must be the one
    that it gives for some place in memory.
    """
    said = differences(one, answer, reference(one, answer))
    for offset in range(0, 64, 4):
        if not said:
            break
        if not differences(one, answer, reference(one, answer, offset)):
            return []
    return said


def differences(one: Asked, answer: Answered, expected: Arrays) -> list[str]:
    where = f"{one.name}, {one.rows} rows at {answer.batch_row} of {answer.batch_size}"
    if list(answer.outputs) != list(expected):
        return [f"{where}: outputs {list(answer.outputs)}, expected {list(expected)}"]
    return [
        f"{where}: {name} is {said}"
        for name, value in expected.items()
        if (said := difference(wire_form(answer.outputs[name]), value))
    ]
