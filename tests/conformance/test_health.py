"""The standard health service, asked by grpcio's own stubs."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support import protos

TIMEOUT_S = 30.0


@pytest.fixture
def health(channel: grpc.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("service", ["", protos.INFERENCE])
def test_check_ready_server_is_serving(health: Any, service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    response = health.Check(request, timeout=TIMEOUT_S)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_check_unknown_service_is_not_found(health: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        health.Check(health_pb2.HealthCheckRequest(service="no.Service"), timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
