"""native/host: flags and messages of the plain C++ program, before it would serve."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "build" / "test" / "native" / "penstock_host"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HOST.exists(), f"{HOST} is not built; run `make build-cpp`"
    return subprocess.run([HOST, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m.onnx"], "--onnxruntime-library is missing"),
        (["--onnxruntime-library", "x.so"], "no model is given"),
        (["--grpc-port"], "--grpc-port needs a value"),
        (["--grpc-port", "65536"], "--grpc-port: '65536' is not in 0..65535"),
        (["--grpc-port", "-1"], "--grpc-port: '-1' is not a whole number"),
        (["--grpc-port", "80a"], "--grpc-port: '80a' is not a whole number"),
        (["--grpc-port", ""], "--grpc-port: '' is not a whole number"),
        (["--grpc-port", "9" * 20], f"--grpc-port: '{'9' * 20}' is not a whole number"),
        (["--drain-timeout", "1h"], "--drain-timeout: '1h' is not a time such as 30, 30s or 500ms"),
        (["--drain-timeout", "3601"], "--drain-timeout: '3601' is not in 0..3600000 ms"),
        (["--drain-timeout", "9" * 18], f"--drain-timeout: '{'9' * 18}' is not in 0..3600000 ms"),
        (["--log-level", "loud"], "--log-level: 'loud' is not one of debug, info, warning, error"),
        (
            ["--providers", "cpu,tpu"],
            "--providers: 'tpu' is not one of cpu, cuda, openvino, xnnpack",
        ),
        (["--providers", ""], "--providers: '' is not one of cpu, cuda, openvino, xnnpack"),
        (["--port", "1"], "unknown option --port"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: penstock_host")
    assert done.stderr.endswith(f"penstock: error: {message}\n")


def test_good_flags_reach_the_model() -> None:
    done = run(
        *["--onnxruntime-library", "x.so", "--report-batch-size", "--drain-timeout", "500ms"],
        *["--providers", "cuda,cpu", "--execution", "inline", "--grpc-port", "0", "none.onnx"],
    )
    assert done.returncode == 1
    assert done.stderr == "penstock: error: none.onnx: no such file\n"
