"""Fixtures of every Python test.

`server`        a real `penstock serve` of the model `mlp` on a free port of 127.0.0.1, as a process
                of its own: `server.address`. Stopped by SIGTERM after the test, which then fails
                unless the exit code is 0. Its log is printed where the test fails.
`start_server`  the same, with models and flags of the test's choice, several times if needed:
                `start_server("mlp", "two_by_two", flags=["--execution", "pool"])`. A model is the
                name of a test model or a path.
`start_shared_server`  the same for all tests of one module, which must leave it as it was.
`test_models`   the folder with the models of scripts/make_test_models.py.

A test that ends a server itself calls `running.stop()`, which returns the exit code.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
# Generous: a slow machine must not fail a test. Nothing waits this long where all is well.
DEADLINE_S = 60.0


@dataclass(kw_only=True)
class RunningServer:
    address: str
    http_address: str  # empty: --no-http
    process: subprocess.Popen[bytes]
    log_path: Path
    exit_code: int | None = field(default=None)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code; again, it returns the same."""
        if self.exit_code is None:
            self.process.send_signal(number)
            self.exit_code = self.process.wait(DEADLINE_S)
        return self.exit_code


# The same examples in every run, and no limit on their time: machines are slow at times.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

StartServer = Callable[..., RunningServer]


@pytest.fixture(scope="session")
def test_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = os.environ.get("PENSTOCK_TEST_MODELS")
    if made:
        return Path(made)
    folder = tmp_path_factory.mktemp("models")
    script = ROOT / "scripts" / "make_test_models.py"
    subprocess.run([sys.executable, script, folder], check=True)
    return folder


@pytest.fixture
def start_server(test_models: Path, tmp_path: Path) -> Iterator[StartServer]:
    with running_servers(test_models, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared_server(
    test_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartServer]:
    with running_servers(test_models, tmp_path_factory.mktemp("shared")) as start:
        yield start


@contextmanager
def running_servers(test_models: Path, folder: Path) -> Iterator[StartServer]:
    started: list[RunningServer] = []

    def start(*models: str | Path, flags: Sequence[str] = ()) -> RunningServer:
        paths = [model_path(test_models, model) for model in models or ("mlp",)]
        log_path = folder / f"server-{len(started)}.log"
        command = [sys.executable, "-m", "penstock", "serve", "--grpc-port", "0"]
        # All test servers would try the same HTTP port.
        http = [] if "--http-port" in flags else ["--no-http"]
        command += [*http, *flags, *paths]
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        try:
            address, http_address = wait_until_ready(process)
        except BaseException:
            process.kill()
            process.communicate()  # also closes its standard output
            print(log_path.read_text(errors="replace"))
            raise
        started.append(
            RunningServer(
                address=address, http_address=http_address, process=process, log_path=log_path
            )
        )
        return started[-1]

    try:
        yield start
    finally:
        problems = [problem for server in started if (problem := end(server))]
    assert not problems, "\n".join(problems)


@pytest.fixture
def server(start_server: StartServer) -> RunningServer:
    return start_server("mlp")


def model_path(test_models: Path, model: str | Path) -> str:
    named = test_models / f"{model}.onnx"
    return str(named if isinstance(model, str) and named.exists() else model)


def wait_until_ready(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """The addresses of gRPC and of HTTP, from the ready line.

    Fails where the process ends before or the deadline passes.
    """
    assert process.stdout is not None
    deadline = time.monotonic() + DEADLINE_S
    received = b""
    while not received.endswith(b"\n"):
        left = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([process.stdout], [], [], left)
        if not readable:
            pytest.fail(f"the server was not ready within {DEADLINE_S} s")
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            pytest.fail(f"the server ended with exit code {process.wait(DEADLINE_S)}")
        received += piece
    line = received.decode().removesuffix("\n")
    assert line.startswith("ready grpc="), line
    grpc, _, http = line.removeprefix("ready grpc=").partition(" http=")
    return grpc, http


def end(server: RunningServer) -> str:
    """Stops the server where the test has not; returns what went wrong."""
    expected = server.exit_code is not None
    try:
        code = server.stop()
    except subprocess.TimeoutExpired:
        server.process.kill()
        code = server.process.wait()
    if server.process.stdout is not None:
        server.process.stdout.close()
    print(f"--- log of the server at {server.address}, exit code {code}\n{server.log}")
    return "" if expected or code == 0 else f"the server at {server.address} ended with {code}"
