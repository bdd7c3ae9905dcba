"""Asks the server what its models want, makes the messages, and tries one of each.

Runs on the main thread before anything is measured; every refusal is one line for the user.
"""

from __future__ import annotations

import dataclasses
import socket

from penstock.bench.engine import call_once
from penstock.bench.errors import BenchError
from penstock.bench.flag_values import ModelChoice
from penstock.bench.outcome import STATUS_NAMES, Target
from penstock.bench.payloads import InputChoices, Payload, make_payload
from penstock.bench.settings import BenchSettings
from penstock.bench.tensors import read_value
from penstock.bench.wire import (
    ModelMetadata,
    Tensor,
    TensorMetadata,
    WireError,
    answering_model,
    decode_model_metadata,
    decode_server_metadata,
    encode_model_metadata_request,
)

__all__ = ["INFER_PATH", "find_target"]

_SERVICE = "/inference.GRPCInferenceService"
INFER_PATH = f"{_SERVICE}/ModelInfer"
_OK = 0
_DEADLINE_EXCEEDED = 4
_UNIMPLEMENTED = 12
_UNAVAILABLE = 14
# INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED
# and UNAUTHENTICATED: what is asked for is wrong and will be every time.
_LASTING = (3, 5, 7, 9, 11, 12, 16)


def find_target(settings: BenchSettings) -> Target:
    """Raises BenchError where the server cannot be reached, lacks a model or refuses a request."""
    _check_host(settings)
    metadata = [_model_metadata(settings, model) for model in settings.models]
    _check_names(settings, metadata)
    payloads = tuple(
        make_payload(each, model.version, _choices_for(settings, each))
        for model, each in zip(settings.models, metadata, strict=True)
    )
    payloads = tuple(_tried(settings, payload) for payload in payloads)
    name, version = _server(settings)
    return Target(server_name=name, server_version=version, payloads=payloads)


def _check_host(settings: BenchSettings) -> None:
    try:
        socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise BenchError(f"host {settings.host!r}: {error.strerror or error}") from None


def _model_metadata(settings: BenchSettings, model: ModelChoice) -> ModelMetadata:
    answer = call_once(
        settings.host,
        settings.port,
        f"{_SERVICE}/ModelMetadata",
        encode_model_metadata_request(model.name, model.version),
        settings.connect_timeout_s,
    )
    if answer.code == _UNIMPLEMENTED and settings.inputs:
        return ModelMetadata(name=model.name, versions=(), platform="", inputs=(), outputs=())
    if answer.code == _UNAVAILABLE:
        # The engine's own message names the address; a proxy's would not.
        named = settings.address in answer.status_message
        prefix = "" if named else f"cannot reach {settings.address}: "
        raise BenchError(f"{prefix}{answer.status_message}")
    if answer.code == _DEADLINE_EXCEEDED:
        raise BenchError(
            f"{settings.address} did not answer within {settings.connect_timeout_s:g} s "
            f"(ModelMetadata of {model.name!r}): {answer.status_message}"
        )
    if answer.code != _OK:
        raise BenchError(f"model {model.name!r}: {_status(answer.code, answer.status_message)}")
    try:
        found = decode_model_metadata(answer.message)
    except WireError as error:
        raise BenchError(
            f"{settings.address} answers ModelMetadata with garbage: {error}"
        ) from None
    # The name asked for is the one to be called, whatever the server calls it.
    return ModelMetadata(
        name=model.name,
        versions=found.versions,
        platform=found.platform,
        inputs=found.inputs,
        outputs=found.outputs,
    )


def _check_names(settings: BenchSettings, metadata: list[ModelMetadata]) -> None:
    inputs = {tensor.name for each in metadata for tensor in each.inputs}
    outputs = {tensor.name for each in metadata for tensor in each.outputs}
    used = (
        ("--input", inputs, [name for name, _ in settings.inputs]),
        ("--shape", inputs, [name for name, _ in settings.shapes]),
        ("--range", inputs, [name for name, _ in settings.limits]),
        ("--expect", outputs, [name for name, _ in settings.expected]),
    )
    for flag, known, names in used:
        for name in names:
            # A server that describes nothing cannot be asked.
            if known and name not in known:
                raise BenchError(
                    f"{flag} {name}: no such name; the model has {', '.join(sorted(known))}"
                )


def _choices_for(settings: BenchSettings, metadata: ModelMetadata) -> InputChoices:
    return InputChoices(
        given=_tensors(settings.inputs, metadata.inputs),
        expected=_tensors(settings.expected, metadata.outputs),
        shapes=dict(settings.shapes),
        limits=dict(settings.limits),
        rows=settings.rows,
        messages=settings.messages,
        priority=settings.priority,
        seed=settings.seed,
    )


def _tensors(
    given: tuple[tuple[str, str], ...], declared: tuple[TensorMetadata, ...]
) -> dict[str, Tensor]:
    """Of a mix, each model gets what it has a name for."""
    datatypes = {tensor.name: tensor.datatype for tensor in declared}
    return {
        name: read_value(text, name=name, datatype=datatypes.get(name, ""))
        for name, text in given
        if name in datatypes or not declared
    }


def _tried(settings: BenchSettings, payload: Payload) -> Payload:
    """A request that can never succeed is better told now, in its own words, than counted. What
    answers the first one has to answer all of them: expected answers get its name and version."""
    answer = call_once(
        settings.host, settings.port, INFER_PATH, payload.messages[0], settings.stall_timeout_s
    )
    if answer.code in _LASTING:
        raise BenchError(
            f"model {payload.model!r} refuses the request ({'; '.join(payload.inputs)}): "
            f"{_status(answer.code, answer.status_message)}"
        )
    if answer.code == _DEADLINE_EXCEEDED:
        raise BenchError(
            f"model {payload.model!r} did not answer one request within "
            f"{settings.stall_timeout_s:g} s"
        )
    if not payload.expected:
        return payload
    if answer.code != _OK:
        raise BenchError(
            f"model {payload.model!r} did not answer the first request: "
            f"{_status(answer.code, answer.status_message)}"
        )
    try:
        head = answering_model(answer.message)
    except WireError as error:
        raise BenchError(f"{settings.address} answers ModelInfer with garbage: {error}") from None
    return dataclasses.replace(
        payload, expected=tuple(head + message for message in payload.expected)
    )


def _server(settings: BenchSettings) -> tuple[str, str]:
    """Empty where the server does not say."""
    answer = call_once(
        settings.host, settings.port, f"{_SERVICE}/ServerMetadata", b"", settings.connect_timeout_s
    )
    if answer.code != _OK:
        return "", ""
    try:
        found = decode_server_metadata(answer.message)
    except WireError:
        return "", ""
    return found.name, found.version


def _status(code: int, message: str) -> str:
    name = STATUS_NAMES[code] if code < len(STATUS_NAMES) else f"status {code}"
    return f"{name}: {message}" if message else name
