"""A server and a client of penstock_client, connected."""

from collections.abc import Iterator

import pytest
from penstock_client import Client
from support.fake_inference_server import FakeInferenceServer


@pytest.fixture
def fake_server() -> Iterator[FakeInferenceServer]:
    with FakeInferenceServer() as server:
        yield server


@pytest.fixture
def client(fake_server: FakeInferenceServer) -> Iterator[Client]:
    with Client(fake_server.address, timeout=30) as made:
        yield made
