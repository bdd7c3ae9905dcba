"""penstock.Server: the server as an object in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from penstock import ConfigError, Server, ServerError


def test_server_answers_until_the_block_ends(
    test_models: Path, expect_good_answer: Callable[[str], None]
) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with Server(test_models / "mlp.onnx", grpc_port=0, log_level="warning") as server:
        assert server.address == f"127.0.0.1:{server.port}"
        assert [model.name for model in server.models] == ["mlp"]
        expect_good_answer(server.address)
        assert handlers == [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
        assert mask == signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert server.stop() is True
    counts = server.live_counts()
    assert (counts.calls, counts.buffers, counts.connections) == (0, 0, 0)
    assert counts.accepted == counts.finished == 1


def test_server_two_in_one_process_serve_side_by_side(
    test_models: Path, expect_good_answer: Callable[[str], None]
) -> None:
    model = test_models / "mlp.onnx"
    with (
        Server(model, grpc_port=0, log_level="error") as first,
        Server(model, grpc_port=0, log_level="error") as second,
    ):
        for server in (first, second):
            expect_good_answer(server.address)
        with pytest.raises(ServerError, match="in use"):
            Server(model, grpc_port=first.port, log_level="error")


def test_server_unknown_setting_is_named(test_models: Path) -> None:
    with pytest.raises(ConfigError, match="grpc: unknown setting"):
        Server(test_models / "mlp.onnx", grpc=1)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_server_in_a_forked_child_raises(test_models: Path) -> None:
    with Server(test_models / "mlp.onnx", grpc_port=0, log_level="error") as server:
        child = os.fork()
        if child == 0:
            try:
                server.live_counts()
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
