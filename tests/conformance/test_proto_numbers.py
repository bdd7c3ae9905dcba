"""Our protos against the ones that tritonclient ships: the same names, numbers and types."""

from collections.abc import Iterator
from typing import Any

import pytest
from support import protos
from tritonclient.grpc import model_config_pb2, service_pb2

FILES = {
    "open_inference_grpc.proto": service_pb2.DESCRIPTOR,
    "model_config.proto": model_config_pb2.DESCRIPTOR,
}


def messages_in(container: Any) -> Iterator[Any]:
    for message in container:
        yield message
        yield from messages_in(message.nested_types)


@pytest.mark.parametrize("file", FILES)
def test_every_field_has_tritons_number_and_type(file: str) -> None:
    ours = protos.pool().FindFileByName(file)
    theirs = {
        message.full_name: message
        for message in messages_in(FILES[file].message_types_by_name.values())
    }
    compared = 0
    for message in messages_in(ours.message_types_by_name.values()):
        for field in message.fields:
            other = theirs[message.full_name].fields_by_name[field.name]
            assert described(field) == described(other), field.full_name
            compared += 1
    assert compared >= 20


def test_every_call_is_tritons_call() -> None:
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert [called(method) for method in protos.methods()] == [
        called(method) for method in theirs.methods
    ]


def described(field: Any) -> tuple[Any, ...]:
    type_name = field.message_type.full_name if field.message_type else ""
    oneof = field.containing_oneof.name if field.containing_oneof else ""
    return (field.number, field.type, field.is_repeated, type_name, oneof)


def called(method: Any) -> tuple[Any, ...]:
    return (
        method.full_name,
        method.input_type.full_name,
        method.output_type.full_name,
        method.client_streaming,
        method.server_streaming,
    )
