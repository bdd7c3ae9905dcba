"""`penstock bench` as a process of its own, against real servers: ours, grpcio's, and bad ones."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import infer, protos
from support.fake_inference_server import FakeInferenceServer
from support.json_schema import problems

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/reference/bench-json.schema.json").read_text())
TIMEOUT_S = 120.0
SHORT = ("--duration", "500ms", "--warmup", "100ms")
COUNTS = ("ok", "wrong", "shed", "deadline_missed", "errors", "transport_errors", "unanswered")

StartServer = Callable[..., Any]
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def address(start_shared_server: StartServer) -> str:
    return str(start_shared_server("mlp", "two_by_two").address)


def command(address: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", "penstock", "bench", address, *flags]


def bench(address: str, *flags: str) -> Done:
    return subprocess.run(
        command(address, *flags), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def document_of(done: Done) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    assert problems(document, SCHEMA) == []
    assert document["exit_code"] == done.returncode
    counted = sum(document[name] for name in (*COUNTS, "generator_limited"))
    assert counted == document["calls"]
    return document


def one_line(done: Done) -> str:
    """Of an error after which there is nothing to show."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    line, rest = done.stderr.split("\n", 1)
    assert rest == "", done.stderr
    assert line.startswith("penstock: error: ")
    return line


def test_bench_closed_loop_prints_what_it_measured(address: str) -> None:
    done = bench(address, "--model", "mlp", "--concurrency", "2", *SHORT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"closed loop, 2 callers", done.stdout)
    assert re.search(r"p99\.99", done.stdout)


def test_bench_json_keeps_to_its_schema(address: str) -> None:
    done = bench(address, "--model", "mlp", "--requests", "300", "--json")
    assert done.stderr == ""
    document = document_of(done)
    assert document["end"] == "finished"
    assert document["ok"] == document["calls"] == 300
    assert document["statuses"] == {"OK": 300}
    assert document["versions"]["server"] == "penstock"
    assert 0 < document["p50_ms"] <= document["p99_99_ms"] <= document["latency"]["max_ms"]


def test_bench_open_loop_offers_the_rate(address: str) -> None:
    flags = ("--rate", "400", "--arrivals", "constant", "--duration", "1s", "--json")
    document = document_of(bench(address, "--model", "mlp", *flags))
    assert abs(document["calls"] - 400) <= 1
    assert document["offered"] == pytest.approx(400, rel=0.01)
    assert document["generator"]["schedule_error_p99_us"] is not None


def test_bench_of_a_seed_offers_the_same_calls(address: str) -> None:
    flags = ("--model", "mlp", "--rate", "300", "--seed", "9", *SHORT, "--json")
    first, second = (document_of(bench(address, *flags)) for _ in range(2))
    assert first["calls"] == second["calls"]


def test_bench_profile_changes_the_rate(address: str) -> None:
    flags = ("--rate", "50,500", "--profile", "step", "--duration", "2s", "--warmup", "100ms")
    document = document_of(bench(address, "--model", "mlp", *flags, "--json"))
    offered = [second["offered"] for second in document["seconds"][:2]]
    assert offered[1] > 4 * offered[0]


def test_bench_mix_sends_to_every_model(address: str) -> None:
    mix = ("--model", "mlp:0.9", "--model", "two_by_two:0.1", "--rows", "1:0.5,4:0.5")
    document = document_of(bench(address, *mix, "--requests", "2000", "--json"))
    assert document["ok"] == 2000
    calls = {model["name"]: model["calls"] for model in document["models"]}
    assert sum(calls.values()) == 2000
    assert 1700 < calls["mlp"] < 1900


def expected_answer(test_models: Path, folder: Path) -> tuple[str, str]:
    """Flags for 16 rows and what ONNX Runtime says to them."""
    x = np.random.default_rng(1).normal(size=(16, 64)).astype(np.float32)
    y = infer.run_reference(test_models / "mlp.onnx", {"x": x})["y"]
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    np.save(folder / "wrong.npy", y + 1)
    return f"x=@{folder / 'x.npy'}", f"y=@{folder / 'y.npy'}"


def test_bench_right_golden_output_is_ok(address: str, test_models: Path, tmp_path: Path) -> None:
    given, expected = expected_answer(test_models, tmp_path)
    flags = ("--model", "mlp", "--input", given, "--expect", expected, "--rows", "1-4")
    document = document_of(bench(address, *flags, "--requests", "200", "--json"))
    assert (document["ok"], document["wrong"]) == (200, 0)
    assert document["settings"]["check"] == "expected"


def test_bench_wrong_golden_output_is_counted_wrong(
    address: str, test_models: Path, tmp_path: Path
) -> None:
    given, _ = expected_answer(test_models, tmp_path)
    expected = f"y=@{tmp_path / 'wrong.npy'}"
    flags = ("--model", "mlp", "--input", given, "--expect", expected, "--requests", "50")
    done = bench(address, *flags, "--json")
    document = document_of(done)
    assert (document["ok"], document["wrong"], document["errors"]) == (0, 50, 0)
    assert document["statuses"] == {"OK": 50}
    assert "not one of 50 calls succeeded: 50 wrong answers" in done.stderr
    assert done.returncode == 2
    unchecked = bench(address, "--model", "mlp", "--input", given, "--no-check", *SHORT)
    assert unchecked.returncode == 0


@pytest.mark.parametrize(("slo", "exit_code"), [("p99=60s", 0), ("p50=1us", 1)])
def test_bench_slo_of_a_rate_decides_the_exit_code(address: str, slo: str, exit_code: int) -> None:
    done = bench(address, "--model", "mlp", "--rate", "300", "--slo", slo, *SHORT, "--json")
    assert done.returncode == exit_code
    assert document_of(done)["slo"]["met"] is (exit_code == 0)


@pytest.mark.parametrize(("slo", "exit_code"), [("p99=60s", 0), ("p50=1us", 1)])
def test_bench_slo_alone_searches(address: str, slo: str, exit_code: int, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    flags = ("--slo", slo, "--slo-runs-max", "3", *SHORT, "--report", str(report), "--json")
    done = bench(address, "--model", "mlp", *flags)
    assert done.returncode == exit_code, done.stderr
    document = document_of(done)
    assert [run["purpose"] for run in document["runs"]] == ["capacity", *["search"] * 3]
    assert (document["slo"]["search"]["rate"] is not None) is (exit_code == 0)
    assert document["slo"]["search"]["why"] == "runs"
    assert done.stderr.count("\n") == 5  # each run, and where the report lies
    assert "What was not measured" in report.read_text()


def test_bench_of_another_server_sends_deadline_and_priority() -> None:
    seen: list[tuple[float | None, int]] = []
    with FakeInferenceServer() as server:
        echo = server.behaviours["ModelInfer"]

        def infer_and_note(request: Any, context: Any) -> Any:
            seen.append((context.time_remaining(), request.parameters["priority"].uint64_param))
            return echo(request, context)

        server.behaviours["ModelInfer"] = infer_and_note
        flags = ("--deadline", "30s", "--priority", "2", "--requests", "20", "--concurrency", "2")
        document = document_of(bench(server.address, "--model", "any", *flags, "--json"))
    assert document["ok"] == 20
    assert document["versions"]["server"] == "fake"
    during = seen[-20:]
    assert all(left is not None and 0 < left <= 30 for left, _ in during)
    assert {priority for _, priority in during} == {2}


def test_bench_of_a_server_without_metadata_takes_what_is_given() -> None:
    with FakeInferenceServer() as server:
        empty = protos.message_class("inference.ModelMetadataResponse")
        server.behaviours["ModelMetadata"] = lambda request, context: empty(name=request.name)
        refused = one_line(bench(server.address, "--model", "any"))
        flags = ("--input", "x=[[1, 2.5]]", "--requests", "10", "--json")
        document = document_of(bench(server.address, "--model", "any", *flags))
    assert "does not say which inputs model 'any' has; give --input" in refused
    assert document["ok"] == 10


def test_bench_answers_that_change_are_wrong() -> None:
    with FakeInferenceServer() as server:
        echo = server.behaviours["ModelInfer"]
        count = iter(range(1_000_000))

        def drift(request: Any, context: Any) -> Any:
            response = echo(request, context)
            response.raw_output_contents[0] = np.full(4, next(count), np.float32).tobytes()
            return response

        server.behaviours["ModelInfer"] = drift
        flags = ("--messages", "1", "--requests", "10", "--concurrency", "1", "--warmup", "0s")
        document = document_of(bench(server.address, "--model", "any", *flags, "--json"))
    assert document["wrong"] >= 9


# --- what cannot be measured --------------------------------------------------------------------


def test_bench_dead_port_is_one_line_and_exit_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: every connect is refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = one_line(bench(address, "--model", "mlp", "--json"))
    assert address in line
    assert "Traceback" not in line


def test_bench_host_that_does_not_exist_is_one_line() -> None:
    assert "host 'none.invalid': " in one_line(bench("none.invalid:8001", "--model", "mlp"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "nope"], "model 'nope': NOT_FOUND"),
        (["--model", "mlp/77"], "model 'mlp': NOT_FOUND"),
        (["--model", "mlp", "--input", "z=[1]"], "--input z: no such name; the model has x"),
        (["--model", "mlp", "--expect", "z=[1]"], "--expect z: no such name; the model has y"),
        (["--model", "mlp", "--input", "x=[1]"], "refuses the request .*INVALID_ARGUMENT"),
        (["--model", "mlp", "--input", "x=@none.npy"], "none.npy: No such file"),
        (["--model", "mlp", "--shape", "x=1,5"], r"the model's input is \[-1, 64\]"),
        (["--model", "mlp", "--report", "/none/r.html", *SHORT], "/none/r.html: No such file"),
    ],
)
def test_bench_wrong_request_is_one_line(address: str, flags: list[str], message: str) -> None:
    done = bench(address, *flags)
    assert done.returncode == 2
    assert re.fullmatch(rf"penstock: error: .*{message}.*\n", done.stderr), done.stderr


def test_bench_rate_that_cannot_be_offered_keeps_what_it_measured(address: str) -> None:
    flags = ("--rate", "300000", "--in-flight-max", "1", "--duration", "200ms", "--warmup", "0s")
    done = bench(address, "--model", "mlp", *flags, "--json")
    document = document_of(done)
    assert done.returncode == 2
    assert document["generator_limited"] > 0
    assert document["ok"] > 0
    assert done.stderr == f"penstock: error: {document['failure']}\n"


@contextmanager
def peer_that(answer: bytes | None) -> Iterator[str]:
    """Sends the bytes to everyone who connects; None: accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                if answer is not None:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"garbage"])
def test_bench_server_that_answers_garbage_is_one_line(answer: bytes) -> None:
    with peer_that(answer) as address:
        line = one_line(bench(address, "--model", "mlp", "--connect-timeout", "2s"))
    assert address in line


def test_bench_server_that_hangs_is_one_line() -> None:
    with peer_that(None) as address:
        line = one_line(bench(address, "--model", "mlp", "--connect-timeout", "300ms"))
    assert address in line


# --- partial results ----------------------------------------------------------------------------


@contextmanager
def running_bench(address: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Once calls were answered: the progress bar says so, on a terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command(address, *flags), stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    try:
        wait_for_answers(ours)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        os.close(ours)


def wait_for_answers(terminal: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    seen = b""
    while not re.search(rb"ok [1-9]", seen):
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, seen
        seen += os.read(terminal, 4096)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    text = process.stdout.read()
    code = process.wait(TIMEOUT_S)
    return document_of(subprocess.CompletedProcess([], code, stdout=text))


LONG = ("--model", "mlp", "--rate", "300", "--duration", "10m", "--json")


def test_bench_server_killed_keeps_what_was_measured(start_server: StartServer) -> None:
    server = start_server("mlp")
    with running_bench(server.address, *LONG, "--connect-timeout", "500ms") as process:
        server.stop(signal.SIGKILL)
        document = finish(process)
    assert document["end"] == "disconnected"
    assert document["exit_code"] == 2
    assert document["failure"]
    assert document["ok"] > 0
    assert document["transport_errors"] + document["unanswered"] > 0


def test_bench_interrupted_prints_what_was_measured(address: str) -> None:
    with running_bench(address, *LONG) as process:
        process.send_signal(signal.SIGINT)
        document = finish(process)
    assert document["end"] == "interrupted"
    assert document["exit_code"] == 130
    assert document["ok"] > 0
    assert document["p50_ms"] > 0


def test_bench_interrupted_search_keeps_its_runs(address: str) -> None:
    flags = ("--model", "mlp", "--slo", "p99=60s", "--duration", "10m", "--json")
    with running_bench(address, *flags) as process:
        process.send_signal(signal.SIGINT)
        document = finish(process)
    assert document["exit_code"] == 130
    assert document["end"] == "interrupted"
    assert document["runs"][0]["purpose"] == "capacity"
