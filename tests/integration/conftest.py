"""Channels that share no connection, and a client that must never notice what others do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from support import infer, protos

TIMEOUT_S = 60.0

Connect = Callable[[str], grpc.Channel]

SERVE = [sys.executable, "-m", "penstock", "serve"]


@pytest.fixture
def run_serve() -> Any:
    """run_serve(arguments, says=[...]): it must fail to start, and say so on one or more lines."""

    def run(*arguments: Any, says: list[str], code: int = 1, command: Any = ()) -> None:
        finished = subprocess.run(
            [*(command or SERVE), "--grpc-port", "0", *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        print(finished.stderr)
        assert finished.returncode == code
        assert finished.stdout == ""
        assert "Traceback" not in finished.stderr
        error = finished.stderr.partition("penstock: error: ")[2]
        assert error
        for fragment in says:
            assert fragment in error

    return run


@pytest.fixture
def connect() -> Iterator[Connect]:
    """connect(address): a channel with a connection of its own, closed after the test."""
    with ExitStack() as channels:
        yield lambda address: channels.enter_context(open_channel(address))


@pytest.fixture
def expect_good_answer(connect: Connect, test_models: Path) -> Callable[[str], None]:
    """expect_good_answer(address): the server, with `mlp`, still answers a new connection."""

    def check(address: str) -> None:
        check_answer(connect(address), test_models / "mlp.onnx")

    return check


@pytest.fixture
def bystander(test_models: Path) -> Any:
    """with bystander(address): on a connection of its own, it asks `mlp` again and again, and
    fails the test where one answer is wrong or late. At the end it is asked once more."""

    @contextmanager
    def run(address: str) -> Iterator[None]:
        problems: list[BaseException] = []
        stop = threading.Event()

        def ask() -> None:
            try:
                with open_channel(address) as channel:
                    while True:
                        last = stop.is_set()
                        check_answer(channel, test_models / "mlp.onnx")
                        if last:
                            return
            except BaseException as problem:
                problems.append(problem)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        assert not problems, problems

    return run


def open_channel(address: str) -> grpc.Channel:
    # Without the option, all channels of a process to one address share a connection.
    return grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def check_answer(channel: grpc.Channel, model: Path) -> None:
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 64)
    response = protos.unary_stub(channel, "ModelInfer")(
        infer.make_request("mlp", {"x": x}), timeout=TIMEOUT_S
    )
    expected = infer.run_reference(model, {"x": x})["y"]
    difference = np.abs(infer.arrays_of(response)["y"] - expected).max()
    assert difference <= 1e-5 * np.abs(expected).max()
