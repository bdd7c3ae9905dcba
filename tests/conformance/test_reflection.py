"""Server reflection, asked by grpcio-reflection's client (v1alpha) and by hand (v1)."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from support import protos

TIMEOUT_S = 30.0
SERVICES = {
    "inference.GRPCInferenceService",
    "penstock.v1.Models",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}


@pytest.fixture
def database(channel: grpc.Channel) -> Any:
    return ProtoReflectionDescriptorDatabase(channel)


def test_services_are_listed(database: Any) -> None:
    assert set(database.get_services()) == SERVICES


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_service_is_found_by_symbol_and_by_file(database: Any, service: str) -> None:
    by_symbol = database.FindFileContainingSymbol(service)
    assert database.FindFileByName(by_symbol.name) == by_symbol
    described = descriptor_pool.DescriptorPool(database).FindServiceByName(service)
    assert described.full_name == service
    assert described.methods


def test_unknown_symbol_is_not_found(database: Any) -> None:
    with pytest.raises(KeyError):
        database.FindFileContainingSymbol("inference.Nothing")
    with pytest.raises(KeyError):
        database.FindFileByName("nothing.proto")


def test_reflected_messages_make_a_working_client(
    channel: grpc.Channel, database: Any, rows: Any, reference: Any
) -> None:
    """A client that knows nothing but the address: what grpcurl does."""
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName(protos.INFERENCE).methods_by_name["ModelInfer"]
    request = message_factory.GetMessageClass(method.input_type)(model_name="mlp")
    x = rows(1, 64)
    request.inputs.add(name="x", datatype="FP32", shape=[1, 64])
    request.raw_input_contents.append(x.tobytes())
    call = channel.unary_unary(
        f"/{protos.INFERENCE}/ModelInfer",
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    response = call(request, timeout=TIMEOUT_S)
    assert response.raw_output_contents[0] == reference("mlp", x=x)["y"].tobytes()


def test_every_reflected_unary_call_is_offered(channel: grpc.Channel, database: Any) -> None:
    pool = descriptor_pool.DescriptorPool(database)
    for service in sorted(SERVICES):
        for method in pool.FindServiceByName(service).methods:
            if method.client_streaming:
                continue
            call = channel.unary_unary(f"/{service}/{method.name}")
            try:
                call(b"", timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                # An empty request may well be wrong (no model of the name ""), but not unknown.
                assert error.code() != grpc.StatusCode.UNIMPLEMENTED, method.full_name  # noqa: PT017


def test_v1_answers_each_question_of_one_stream(channel: grpc.Channel) -> None:
    request_class = protos.message_class("grpc.reflection.v1.ServerReflectionRequest")
    response_class = protos.message_class("grpc.reflection.v1.ServerReflectionResponse")
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=request_class.SerializeToString,
        response_deserializer=response_class.FromString,
    )
    questions = [
        request_class(host="here", list_services="*"),
        request_class(file_containing_symbol="no.Symbol"),
        request_class(all_extension_numbers_of_type="inference.ModelInferRequest"),
        request_class(file_by_filename="grpc/health/v1/health.proto"),
    ]
    answers = list(call(iter(questions), timeout=TIMEOUT_S))
    assert [answer.original_request for answer in answers] == questions
    assert answers[0].valid_host == "here"
    assert {one.name for one in answers[0].list_services_response.service} == SERVICES
    assert answers[1].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert answers[2].error_response.error_code == grpc.StatusCode.UNIMPLEMENTED.value[0]
    assert len(answers[3].file_descriptor_response.file_descriptor_proto) == 1
