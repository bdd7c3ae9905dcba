"""/metrics, /healthz and /readyz: over real sockets, read by Prometheus' own parser."""

from __future__ import annotations

import socket
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from penstock import Server, ServerError
from prometheus_client.parser import text_string_to_metric_families
from support.metrics import Samples, get, scrape

TIMEOUT_S = 30.0
ROOT = Path(__file__).resolve().parents[2]
ANY_PORT = ["--http-port", "0"]


def of_mlp(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset({"model": "mlp", "version": "1", **labels}.items())]


def infer(address: str, rows: int, width: int = 64) -> None:
    with triton.InferenceServerClient(address) as client:
        x = triton.InferInput("x", [rows, width], "FP32")
        x.set_data_from_numpy(np.ones((rows, width), np.float32))
        client.infer("mlp", [x], client_timeout=TIMEOUT_S)


@pytest.mark.parametrize("execution", ["inline", "pool"])
def test_metrics_agree_with_what_was_sent(start_server: Any, execution: str) -> None:
    server = start_server("mlp", flags=[*ANY_PORT, "--execution", execution])
    sent = [1, 3, 8]
    for rows in sent:
        infer(server.address, rows)
    with pytest.raises(triton.InferenceServerException):
        infer(server.address, 1, width=63)
    samples = scrape(server.http_address)
    assert of_mlp(samples, "penstock_model_calls_total", status="OK") == len(sent)
    assert of_mlp(samples, "penstock_model_calls_total", status="INVALID_ARGUMENT") == 1
    assert of_mlp(samples, "penstock_model_rows_total") == sum(sent)
    assert of_mlp(samples, "penstock_model_batch_rows_sum") == sum(sent)
    assert of_mlp(samples, "penstock_model_batch_rows_bucket", le="4") == 2
    for of_what in ("call", "run"):
        name = f"penstock_model_{of_what}_seconds"
        assert of_mlp(samples, f"{name}_count") == len(sent)
        assert of_mlp(samples, f"{name}_bucket", le="+Inf") == len(sent)
        assert 0 < of_mlp(samples, f"{name}_sum") < TIMEOUT_S
    check_stages(samples, len(sent))
    assert 0 < of_mlp(samples, "penstock_model_cpu_seconds_total") < TIMEOUT_S
    taken = len(sent) if execution == "pool" else 0
    assert taken == sum(
        value for (name, _), value in samples.items() if name == "penstock_model_batches_total"
    )
    assert of_mlp(samples, "penstock_model_waiting") == 0


def check_stages(samples: Samples, calls: int) -> None:
    """Every stage of every call, and together they are the call."""
    name = "penstock_model_stage_seconds"
    stages = ("decode", "queue", "run", "respond")
    for stage in stages:
        assert of_mlp(samples, f"{name}_count", stage=stage) == calls
    took = [of_mlp(samples, f"{name}_sum", stage=stage) for stage in stages]
    # On a loop a call may wait for nothing.
    assert all(seconds > 0 for stage, seconds in zip(stages, took, strict=True) if stage != "queue")
    assert sum(took) == pytest.approx(of_mlp(samples, "penstock_model_call_seconds_sum"))


def test_every_metric_of_the_catalogue_is_shown(start_server: Any) -> None:
    server = start_server("mlp", flags=ANY_PORT)
    families = {
        family.name
        for family in text_string_to_metric_families(get(server.http_address, "/metrics")[2])
    }
    page = (ROOT / "docs/reference/metrics.md").read_text()
    documented = {
        line.split("`")[1].removesuffix("_total")
        for line in page.splitlines()
        if line.startswith("| `penstock_")
    }
    assert families == documented


def test_health_and_what_is_not_there(start_server: Any) -> None:
    server = start_server("mlp", flags=ANY_PORT)
    assert get(server.http_address, "/healthz")[0] == 200
    assert get(server.http_address, "/readyz?verbose") == (
        200,
        "text/plain; charset=utf-8",
        "ready\n",
    )
    assert get(server.http_address, "/")[0] == 404


def test_port_closes_with_the_server(test_models: Path) -> None:
    with Server(test_models / "mlp.onnx", grpc_port=0, http_port=0, log_level="error") as server:
        address = server.http_address
        assert address is not None
        assert get(address, "/readyz")[0] == 200
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(address, "/healthz")


def test_port_that_was_named_must_be_free(
    run_serve: Callable[..., None], test_models: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        says = [f"http_port: 127.0.0.1:{port}: Address already in use"]
        run_serve("--http-port", str(port), test_models / "mlp.onnx", says=says)
        with pytest.raises(ServerError, match="Address already in use"):
            Server(test_models / "mlp.onnx", grpc_port=0, http_port=port, log_level="error")


def test_embedded_server_opens_no_port_unasked(test_models: Path) -> None:
    with Server(test_models / "mlp.onnx", grpc_port=0, log_level="error") as server:
        assert server.http_address is None
