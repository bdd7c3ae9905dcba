"""The HTTP port without a server behind it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest
from penstock._http import HttpServer

TIMEOUT_S = 30.0


class Behind:
    """What the port asks."""

    is_ready = True

    def metrics(self) -> bytes:
        return b"numbers 1\n"

    def ready(self) -> bool:
        return self.is_ready


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def connection(behind: Behind) -> Iterator[http.client.HTTPConnection]:
    server = HttpServer("127.0.0.1", 0, behind.metrics, behind.ready)
    made = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    yield made
    made.close()
    server.close()


def ask(
    connection: http.client.HTTPConnection, path: str, method: str = "GET"
) -> tuple[int, bytes]:
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_readiness_changes_on_one_connection(
    connection: http.client.HTTPConnection, behind: Behind
) -> None:
    assert ask(connection, "/readyz") == (200, b"ready\n")
    behind.is_ready = False
    status, body = ask(connection, "/readyz")
    assert (status, body) == (503, b"not ready: the server is shutting down\n")
    assert ask(connection, "/healthz") == (200, b"ok\n")


def test_head_has_no_body(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "/metrics", "HEAD") == (200, b"")
    assert ask(connection, "/metrics") == (200, b"numbers 1\n")


def test_other_methods_and_paths_are_refused(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "/nothing")[0] == 404
    assert ask(connection, "/metrics", "POST")[0] == 501
