"""The Locust scenarios themselves: each passes on a healthy server, and none can pass on a broken
one. Real Locust processes, seconds each; the figures are not judged, only what must hold always.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.fake_inference_server import FakeInferenceServer, echo

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples/digits/digits.onnx"
# Of a slow and busy machine; a scenario's own limits are for people who test a server.
LENIENT = ["--p99-ms", "20000", "--rate", "1"]


def run_scenario(
    name: str, address: str, *flags: str, seconds: int = 3, users: int = 6
) -> subprocess.CompletedProcess[str]:
    """The command of loadtests/README.md."""
    command = [
        *(sys.executable, "-m", "loadtests.run", name, "--host", address),
        *("-u", str(users), "-t", f"{seconds}s", *LENIENT, *flags),
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 120,
        check=False,
    )


@contextmanager
def dead_address() -> Iterator[str]:
    """A port that is bound but not listening: connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.parametrize(
    "name",
    [
        *("steady", "ramp", "spike", "soak", "slow_consumers", "cancel_storm", "large_tensors"),
        *("reconnect_storm", "native"),
    ],
)
def test_scenario_on_a_healthy_server_passes(name: str, start_server: Any) -> None:
    # Soak and spike compare stages, which begin at whole seconds.
    finished = run_scenario(name, start_server(DIGITS).address, seconds=5)
    assert finished.returncode == 0, finished.stdout
    assert "FAIL" not in finished.stdout


def test_mixed_models_on_a_healthy_server_passes(start_server: Any) -> None:
    address = start_server(DIGITS, "mlp", "two_by_two").address
    finished = run_scenario("mixed_models", address, "--models", "digits,mlp,two_by_two")
    assert finished.returncode == 0, finished.stdout
    assert "pass  ModelInfer two_by_two" in finished.stdout


@pytest.mark.parametrize("name", ["steady", "slow_consumers", "reconnect_storm", "native"])
def test_scenario_on_a_dead_port_exits_with_one(name: str) -> None:
    with dead_address() as address:
        finished = run_scenario(name, address, seconds=3)
    assert finished.returncode == 1, finished.stdout
    assert "FAIL" in finished.stdout


@pytest.mark.parametrize("name", ["steady", "slow_consumers", "mixed_models", "native"])
def test_scenario_on_a_server_with_wrong_answers_exits_with_one(name: str) -> None:
    answers = iter(range(10**9))

    def wrong(request: Any, context: Any) -> Any:
        """The request's own tensor, but another one each time; no probabilities of anything."""
        response = echo(request, context)
        response.raw_output_contents[0] = next(answers).to_bytes(4, "big") * 4
        response.outputs[0].shape[:] = [1, 4]
        return response

    with FakeInferenceServer() as server:
        server.behaviours["ModelInfer"] = wrong
        finished = run_scenario(name, server.address, seconds=3, users=2)
    assert finished.returncode == 1, finished.stdout
    assert "FAIL" in finished.stdout


def test_broken_rule_exits_with_one_without_any_failure(start_server: Any) -> None:
    finished = run_scenario("steady", start_server(DIGITS).address, "--rate", "1e9")
    assert finished.returncode == 1, finished.stdout
    assert re.search(r"pass  0 of \d+ failed", finished.stdout)
    assert "FAIL  " in finished.stdout


def test_distributed_over_two_workers_passes(start_server: Any) -> None:
    finished = run_scenario("steady", start_server(DIGITS).address, "--processes", "2")
    assert finished.returncode == 0, finished.stdout
    assert re.search(r"pass  0 of [1-9]\d* failed", finished.stdout)


def test_native_distributed_counts_every_call_once(start_server: Any) -> None:
    server = start_server(DIGITS)
    finished = run_scenario("native", server.address, "--processes", "2", users=2)
    assert finished.returncode == 0, finished.stdout
    # What each worker's generator says of itself, against what arrived in the master's statistics.
    generators = [int(calls) for calls in re.findall(r"generator: (\d+) calls", finished.stdout)]
    assert len(generators) == 2
    seen = re.search(r"pass  0 of (\d+) failed", finished.stdout)
    assert seen is not None, finished.stdout
    assert int(seen[1]) == sum(generators)


def test_web_ui_shows_the_run(start_server: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "loadtests.run", "steady", "--web", "--autostart"),
            *("--host", start_server(DIGITS).address, "-u", "2", "-t", "2s", *LENIENT),
            *("--web-host", "127.0.0.1", "--web-port", str(port), "--autoquit", "3"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = []
    assert process.stdout is not None
    shown: dict[str, Any] = {}
    for line in process.stdout:
        output.append(line)
        if line.startswith("pass  0 of") and not shown:  # the run is over, the page still there
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests") as page:
                shown = json.load(page)
    assert process.wait(60) == 0, "".join(output)
    process.stdout.close()
    names = [entry["name"] for entry in shown["stats"]]
    assert "ModelInfer 1 row" in names


def test_scalability_walks_and_judges() -> None:
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "loadtests.run", "scalability"),
            *("--duration-s", "0.5", "--connections-max", "2", "--io-threads-max", "2"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    # How much it grows is the machine's matter; that all points were measured is not.
    assert len(re.findall(r"io threads, +\d+ connections: +[1-9]", finished.stdout)) == 4
    assert "pass  0 calls failed" in finished.stdout, finished.stdout
    assert finished.returncode == (1 if "FAIL" in finished.stdout else 0)
