"""The load test itself: it passes on a healthy server and fails where there is none."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run_locust(address: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """The command of loadtests/README.md. The timeout is for a Locust that does not end."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests/locustfile.py")),
            *("--headless", "--only-summary", "-u", "20", "-r", "20", "-t", f"{seconds}s"),
            *("--host", address),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 90,
        check=False,
    )


def test_locust_healthy_server_exits_with_zero(start_server: Any) -> None:
    server = start_server(ROOT / "examples/digits/digits.onnx")
    finished = run_locust(server.address, seconds=3)
    assert finished.returncode == 0, finished.stdout
    totals = re.search(r"Aggregated +(\d+) +(\d+)\(", finished.stdout)
    assert totals is not None, finished.stdout
    requests, failures = map(int, totals.groups())
    assert requests > 0
    assert failures == 0


def test_locust_wrong_model_exits_with_one(start_server: Any) -> None:
    server = start_server("mlp")  # no model of the name that it asks for
    finished = run_locust(server.address, seconds=1)
    assert finished.returncode == 1, finished.stdout
    assert "NotFoundError" in finished.stdout


def test_locust_dead_port_exits_with_one() -> None:
    with socket.socket() as bound:  # bound but not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        finished = run_locust(f"127.0.0.1:{bound.getsockname()[1]}", seconds=1)
    assert finished.returncode == 1, finished.stdout
    assert "UnavailableError" in finished.stdout
