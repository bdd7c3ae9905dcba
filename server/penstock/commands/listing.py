"""What is known of a model version, whoever tells it: the core, a server of ours, another server.

The messages are read by hand; numbers are those of proto/penstock.proto and
proto/open_inference_grpc.proto. Blocks on the network with the GIL released.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from penstock import _core
from penstock._protobuf import (
    WireError,
    as_bytes,
    as_signed,
    as_text,
    last_text,
    read_fields,
)
from penstock.bench.outcome import STATUS_NAMES
from penstock.bench.wire import (
    decode_model_metadata,
    decode_tensor_metadata,
    encode_model_metadata_request,
)
from penstock.errors import CommandError

__all__ = ["ModelListing", "TensorListing", "listing_of", "remote_listings"]

_OK, _UNIMPLEMENTED = 0, 12
_SERVICE = "/inference.GRPCInferenceService"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorListing:
    name: str
    datatype: str
    shape: tuple[int, ...]  # -1: any length


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelListing:
    """None: whoever was asked does not say."""

    name: str
    version: str
    inputs: tuple[TensorListing, ...]
    outputs: tuple[TensorListing, ...]
    preprocessing: tuple[str, ...] = ()
    postprocessing: tuple[str, ...] = ()
    raw_inputs: tuple[TensorListing, ...] = ()
    providers: tuple[str, ...] | None = None
    batchable: bool | None = None
    batchable_reason: str | None = None
    max_batch_size: int | None = None
    execution: str | None = None
    execution_reason: str | None = None
    ragged: str | None = None
    probe_note: str | None = None
    l1_us: float | None = None
    lmax_us: float | None = None


def listing_of(report: _core.ModelReport) -> ModelListing:
    return ModelListing(
        name=report.name,
        version=str(report.version),
        inputs=_reported(report.inputs),
        outputs=_reported(report.outputs),
        preprocessing=tuple(report.preprocessing),
        postprocessing=tuple(report.postprocessing),
        raw_inputs=_reported(report.raw_inputs),
        providers=tuple(report.providers),
        batchable=report.batchable,
        batchable_reason=report.batchable_reason,
        max_batch_size=report.max_batch_size,
        execution=report.execution,
        execution_reason=report.execution_reason,
        ragged=report.ragged,
        probe_note=report.probe_note,
        l1_us=report.l1_us,
        lmax_us=report.lmax_us,
    )


def remote_listings(
    address: tuple[str, int], names: Sequence[str], timeout_s: float
) -> list[ModelListing]:
    """Of a server of ours, all; of another, those of its index, or `names`. Raises CommandError."""
    server = _Remote(address, timeout_s)
    try:
        listed = server.ask("/penstock.v1.Models/ListModels", b"", optional=True)
        if listed is not None:
            return [_own(as_bytes(value)) for number, value in read_fields(listed) if number == 1]
        versions = [(name, "") for name in names] or server.index()
        return [server.described(name, version) for name, version in versions]
    except WireError as error:
        raise CommandError(f"{server.name} answers with what is no message: {error}") from None


class _Remote:
    def __init__(self, address: tuple[str, int], timeout_s: float) -> None:
        self.host, self.port = address
        self.name = f"{self.host}:{self.port}"
        self.timeout_s = timeout_s

    def ask(self, path: str, message: bytes, *, optional: bool = False) -> bytes | None:
        """None where the call is optional and the server does not offer it."""
        answer = _core.UnaryCall.run(
            host=self.host, port=self.port, path=path, message=message, timeout_s=self.timeout_s
        )
        if answer.code == _OK:
            return answer.message
        if optional and answer.code == _UNIMPLEMENTED:
            return None
        code = STATUS_NAMES[answer.code] if answer.code < len(STATUS_NAMES) else answer.code
        raise CommandError(
            f"{self.name} does not answer {path.rpartition('/')[2]}: {code}: "
            f"{answer.status_message}"
        )

    def index(self) -> list[tuple[str, str]]:
        answer = self.ask(f"{_SERVICE}/RepositoryIndex", b"", optional=True)
        if answer is None:
            raise CommandError(f"{self.name} does not list its models; name one with --model")
        found = []
        for number, value in read_fields(answer):
            if number == 1:
                fields = list(read_fields(as_bytes(value)))
                found.append((last_text(fields, 1), last_text(fields, 2)))
        return found

    def described(self, name: str, version: str) -> ModelListing:
        answer = self.ask(f"{_SERVICE}/ModelMetadata", encode_model_metadata_request(name, version))
        metadata = decode_model_metadata(answer or b"")
        return ModelListing(
            name=name,
            version=version or ", ".join(metadata.versions),
            inputs=tuple(
                TensorListing(name=each.name, datatype=each.datatype, shape=each.shape)
                for each in metadata.inputs
            ),
            outputs=tuple(
                TensorListing(name=each.name, datatype=each.datatype, shape=each.shape)
                for each in metadata.outputs
            ),
        )


def _own(message: bytes) -> ModelListing:
    """penstock.v1.Model."""
    fields = list(read_fields(message))
    return ModelListing(
        name=last_text(fields, 1),
        version=str(_number(fields, 2)),
        inputs=_tensors(fields, 3),
        outputs=_tensors(fields, 4),
        preprocessing=_texts(fields, 14),
        postprocessing=_texts(fields, 15),
        raw_inputs=_tensors(fields, 16),
        providers=_texts(fields, 5),
        batchable=bool(_number(fields, 6)),
        batchable_reason=last_text(fields, 7),
        max_batch_size=_number(fields, 8),
        execution=last_text(fields, 9),
        execution_reason=last_text(fields, 10),
        ragged=last_text(fields, 17),
        probe_note=last_text(fields, 11),
        l1_us=_double(fields, 12),
        lmax_us=_double(fields, 13),
    )


_Fields = Sequence[tuple[int, int | bytes]]


def _tensors(fields: _Fields, wanted: int) -> tuple[TensorListing, ...]:
    decoded = (decode_tensor_metadata(value) for number, value in fields if number == wanted)
    return tuple(
        TensorListing(name=each.name, datatype=each.datatype, shape=each.shape) for each in decoded
    )


def _texts(fields: _Fields, wanted: int) -> tuple[str, ...]:
    return tuple(as_text(value) for number, value in fields if number == wanted)


def _reported(tensors: Sequence[_core.TensorReport]) -> tuple[TensorListing, ...]:
    return tuple(
        TensorListing(name=each.name, datatype=each.datatype, shape=tuple(each.shape))
        for each in tensors
    )


def _number(fields: _Fields, wanted: int) -> int:
    values = [value for number, value in fields if number == wanted and isinstance(value, int)]
    return as_signed(values[-1]) if values else 0


def _double(fields: _Fields, wanted: int) -> float:
    values = [value for number, value in fields if number == wanted]
    if not values:
        return 0.0
    data = as_bytes(values[-1])
    if len(data) != 8:
        raise WireError(f"field {wanted} is no double")
    value: float = struct.unpack("<d", data)[0]
    return value
