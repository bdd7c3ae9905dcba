"""Request messages from a model's metadata and the user's inputs. PURE: seeded, sends nothing.

The messages are made before the run and taken at random during it. Row counts are dealt out to the
messages in proportion, so that the mix is right with few messages as well.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from penstock.bench.errors import BenchError
from penstock.bench.flag_values import RowShare
from penstock.bench.tensors import ELEMENT_BYTES, random_data, slice_rows
from penstock.bench.wire import (
    ModelMetadata,
    Tensor,
    TensorMetadata,
    encode_infer_request,
    encode_infer_response,
)

__all__ = ["InputChoices", "Payload", "deal_rows", "make_payload"]

_TOTAL_BYTES_MAX = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChoices:
    """What the user said about inputs and outputs, by tensor name."""

    given: Mapping[str, Tensor] = field(default_factory=dict)
    expected: Mapping[str, Tensor] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rows: tuple[RowShare, ...] = ()
    messages: int = 32
    priority: int | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What is sent to one model."""

    model: str
    messages: tuple[bytes, ...]
    expected: tuple[bytes, ...]  # one for each message, or none
    inputs: tuple[str, ...]  # "x FP32 [1-8,64] random"; for people


def make_payload(metadata: ModelMetadata, version: str, choices: InputChoices) -> Payload:
    """metadata may lack inputs and outputs; then all inputs must be given."""
    wanted = _wanted_inputs(metadata, choices)
    if not wanted:
        raise BenchError(
            f"the server does not say which inputs model {metadata.name!r} has; give --input"
        )
    window = _FileRows.of(wanted, metadata, choices)
    rows_of_messages = deal_rows(choices.rows, _message_count(wanted, choices, window))
    source = random.Random(f"{choices.seed}/{metadata.name}")
    messages, answers = [], []
    for rows in rows_of_messages:
        first = window.draw(rows, source)
        tensors = [_make_tensor(tensor, rows, first, choices, source) for tensor in wanted]
        expected = [_window_of(tensor, rows, first) for tensor in choices.expected.values()]
        messages.append(
            encode_infer_request(
                model=metadata.name,
                version=version,
                inputs=tensors,
                outputs=[tensor.name for tensor in expected],
                parameters={} if choices.priority is None else {"priority": choices.priority},
            )
        )
        if expected:
            answers.append(encode_infer_response(expected))
    return Payload(
        model=metadata.name,
        messages=tuple(messages),
        expected=tuple(answers),
        inputs=tuple(_described(tensor, choices) for tensor in wanted),
    )


def deal_rows(shares: Sequence[RowShare], messages: int) -> list[int | None]:
    """The number of rows of each message, as near to the shares as whole messages allow."""
    if not shares:
        return [None] * messages
    messages = max(messages, len(shares))
    total = sum(share.weight for share in shares)
    # Every share that was asked for is sent, however small: at least one message each.
    exact = [max(1.0, messages * share.weight / total) for share in shares]
    dealt = [math.floor(count) for count in exact]
    by_rest = sorted(range(len(shares)), key=lambda at: dealt[at] - exact[at])
    for at in by_rest[: max(0, messages - sum(dealt))]:
        dealt[at] += 1
    return [share.rows for share, count in zip(shares, dealt, strict=True) for _ in range(count)]


def _wanted_inputs(metadata: ModelMetadata, choices: InputChoices) -> list[TensorMetadata]:
    if metadata.inputs:
        return list(metadata.inputs)
    return [
        TensorMetadata(name=given.name, datatype=given.datatype, shape=given.shape)
        for given in choices.given.values()
    ]


def _message_count(
    wanted: Sequence[TensorMetadata], choices: InputChoices, window: _FileRows
) -> int:
    if all(tensor.name in choices.given for tensor in wanted):
        # Different messages differ by the rows that they take out of the files.
        return min(choices.messages, window.choices(choices.rows))
    rows = max((share.rows for share in choices.rows), default=1)
    size = sum(
        math.prod(_shape_of(tensor, rows, choices)) * ELEMENT_BYTES.get(tensor.datatype, 16)
        for tensor in wanted
        if tensor.name not in choices.given
    )
    return max(1, min(choices.messages, _TOTAL_BYTES_MAX // max(1, size)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileRows:
    """With --rows, each message takes consecutive rows out of the tensors given, all tensors from
    the same row on, so that inputs and expected outputs stay together."""

    available: int | None  # None: nothing to choose

    @classmethod
    def of(
        cls, wanted: Sequence[TensorMetadata], metadata: ModelMetadata, choices: InputChoices
    ) -> _FileRows:
        given = [choices.given[tensor.name] for tensor in wanted if tensor.name in choices.given]
        if not given or not choices.rows:
            return cls(available=None)
        tensors = [*given, *choices.expected.values()]
        lengths = {tensor.shape[0] if tensor.shape else 0 for tensor in tensors}
        most = max(share.rows for share in choices.rows)
        if len(lengths) != 1 or min(lengths) < most:
            names = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in tensors)
            raise BenchError(
                f"model {metadata.name!r}: --rows up to {most} needs as many rows in each of what "
                f"is given, and equally many: {names}"
            )
        return cls(available=lengths.pop())

    def choices(self, shares: Sequence[RowShare]) -> int:
        if self.available is None:
            return 1
        return sum(self.available - share.rows + 1 for share in shares)

    def draw(self, rows: int | None, source: random.Random) -> int:
        if self.available is None or rows is None:
            return 0
        return source.randint(0, self.available - rows)


def _make_tensor(
    wanted: TensorMetadata,
    rows: int | None,
    first: int,
    choices: InputChoices,
    source: random.Random,
) -> Tensor:
    given = choices.given.get(wanted.name)
    if given is not None:
        return _window_of(given, rows, first)
    shape = _shape_of(wanted, rows, choices)
    data = random_data(wanted.datatype, math.prod(shape), source, choices.limits.get(wanted.name))
    return Tensor(name=wanted.name, datatype=wanted.datatype, shape=shape, data=data)


def _window_of(tensor: Tensor, rows: int | None, first: int) -> Tensor:
    return tensor if rows is None else slice_rows(tensor, first, rows)


def _shape_of(wanted: TensorMetadata, rows: int | None, choices: InputChoices) -> tuple[int, ...]:
    shape = list(choices.shapes.get(wanted.name, wanted.shape))
    if wanted.name in choices.shapes and not _fits(shape, wanted.shape):
        raise BenchError(
            f"--shape {wanted.name}={','.join(map(str, shape))}: the model's input is "
            f"{list(wanted.shape)}"
        )
    if wanted.shape and wanted.shape[0] < 0:
        if rows is not None:
            shape[0] = rows
        elif shape[0] < 0:
            shape[0] = 1
    elif rows is not None and shape[:1] != [rows]:
        raise BenchError(
            f"--rows: input {wanted.name!r} is {list(wanted.shape)}; its first dimension is fixed"
        )
    if any(dimension < 0 for dimension in shape):
        raise BenchError(
            f"input {wanted.name!r} is {list(wanted.shape)} with free dimensions; say for example "
            f"--shape {wanted.name}={','.join(str(max(d, 1)) for d in shape)}"
        )
    return tuple(shape)


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(
        wanted < 0 or wanted == size for size, wanted in zip(shape, declared, strict=True)
    )


def _described(wanted: TensorMetadata, choices: InputChoices) -> str:
    given = choices.given.get(wanted.name)
    rows = choices.rows[0].rows if choices.rows else None
    shape = given.shape if given else _shape_of(wanted, rows, choices)
    texts = [str(dimension) for dimension in shape]
    if choices.rows and texts:
        counts = sorted({share.rows for share in choices.rows})
        texts[0] = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    origin = "given" if given else "random"
    return f"{wanted.name} {wanted.datatype} [{','.join(texts)}] {origin}"
