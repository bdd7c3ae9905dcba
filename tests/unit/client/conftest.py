"""A server and a client of penstock_client, connected. Each test runs with both clients."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from penstock_client import Client
from support.blocking_client import BlockingClient
from support.fake_inference_server import FakeInferenceServer

MakeClient = Callable[..., Any]


@pytest.fixture
def fake_server() -> Iterator[FakeInferenceServer]:
    with FakeInferenceServer() as server:
        yield server


@pytest.fixture(params=[Client, BlockingClient], ids=["Client", "AsyncClient"])
def make_client(request: pytest.FixtureRequest) -> MakeClient:
    """make_client(address, **options): one of the two, for a with statement."""
    made: MakeClient = request.param
    return made


@pytest.fixture
def client(make_client: MakeClient, fake_server: FakeInferenceServer) -> Iterator[Any]:
    """Without retries, so that one failure is one."""
    with make_client(fake_server.address, timeout=30, retry=None) as made:
        yield made
