"""Our own client and the demo's sender against the real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from penstock_client import Client, InvalidRequestError, NotFoundError, TensorMetadata
from support.blocking_client import BlockingClient

DIGITS = Path(__file__).resolve().parents[2] / "examples/digits"

BESIDE_TRITON = """
import sys

sys.path[:0] = {path!r}
import {first}
import {second}
import numpy as np
from penstock_client import Client
import tritonclient.grpc as triton

x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 64)
with Client({address!r}) as client:
    ours = client.infer("mlp", {{"x": x}})["y"]
with triton.InferenceServerClient({address!r}) as client:
    tensor = triton.InferInput("x", x.shape, "FP32")
    tensor.set_data_from_numpy(x)
    theirs = client.infer("mlp", [tensor]).as_numpy("y")
print("equal" if (ours == theirs).all() else "different")
"""


def test_control_calls(models_server: Any) -> None:
    with Client(models_server.address) as client:
        assert client.server_live()
        assert client.server_ready()
        assert client.model_ready("mlp")
        assert client.server_metadata().name == "penstock"
        metadata = client.model_metadata("mlp")
    assert metadata.versions == ("1",)
    assert metadata.inputs == (TensorMetadata(name="x", datatype="FP32", shape=(-1, 64)),)
    assert metadata.outputs == (TensorMetadata(name="y", datatype="FP32", shape=(-1, 10)),)


def test_infer_dict_and_bare_array(models_server: Any, rows: Any, reference: Any) -> None:
    x = rows(1, 64)
    expected = reference("mlp", x=x)["y"]
    with Client(models_server.address) as client:
        np.testing.assert_array_equal(client.infer("mlp", {"x": x})["y"], expected)
        np.testing.assert_array_equal(client.infer("mlp", x)["y"], expected)


def test_infer_two_inputs_one_output(models_server: Any, rows: Any) -> None:
    a, b = rows(5, 4), rows(5, 4)
    with Client(models_server.address) as client:
        result = client.infer("two_by_two", {"b": b, "a": a}, outputs=["product"])
    assert list(result) == ["product"]
    np.testing.assert_array_equal(result["product"], a * b)


@pytest.mark.parametrize("make_client", [Client, BlockingClient], ids=["Client", "AsyncClient"])
def test_infer_every_type_comes_back_equal(start_server: Any, make_client: Any) -> None:
    dtypes = {
        "bool": np.bool_,
        **{kind: np.dtype(kind) for kind in ("uint8", "uint16", "uint32", "uint64")},
        **{kind: np.dtype(kind) for kind in ("int8", "int16", "int32", "int64")},
        "fp16": np.float16,
        "fp32": np.float32,
        "fp64": np.float64,
        "bf16": ml_dtypes.bfloat16,
    }
    server = start_server(*(f"identity_{name}" for name in (*dtypes, "bytes")))
    with make_client(server.address) as client:
        for name, dtype in dtypes.items():
            x = np.arange(6).reshape(2, 3).astype(dtype)
            y = client.infer(f"identity_{name}", x)["y"]
            assert y.dtype == (np.float32 if name == "bf16" else dtype)
            np.testing.assert_array_equal(y, x.astype(y.dtype))
        x = np.array([[b"a\0b", b"", b"\xff"], ["text", "ключ", "\0"]], object)
        y = client.infer("identity_bytes", x)["y"]
        assert y.tolist() == [[b"a\0b", b"", b"\xff"], [b"text", "ключ".encode(), b"\0"]]


def test_infer_refused_raises_its_kind(models_server: Any, rows: Any) -> None:
    with Client(models_server.address) as client:
        with pytest.raises(NotFoundError, match="missing"):
            client.infer("missing", {"x": rows(1, 64)})
        with pytest.raises(InvalidRequestError, match="'x'"):
            client.infer("mlp", {"x": rows(1, 64).astype(np.float64)})


@pytest.mark.parametrize(
    ("first", "second"),
    [("penstock_client", "tritonclient.grpc"), ("tritonclient.grpc", "penstock_client")],
)
def test_beside_tritonclient_same_answer(models_server: Any, first: str, second: str) -> None:
    program = BESIDE_TRITON.format(
        path=[path for path in sys.path if path],
        first=first,
        second=second,
        address=models_server.address,
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "equal\n"


def test_demo_sender_prints_what_the_model_sees(start_server: Any) -> None:
    server = start_server(DIGITS / "digits.onnx")
    samples = json.loads((DIGITS / "held_out.json").read_text())
    for scan in (0, 10, 29):
        finished = subprocess.run(
            [
                *(sys.executable, str(DIGITS / "send.py")),
                *("--address", server.address, "--scan", str(scan)),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        assert re.search(rf"the model sees a {samples[scan]['seen']} \(", finished.stdout)
        assert f"it is a {samples[scan]['label']}" in finished.stdout
        assert "@" in finished.stdout  # the drawing


def test_demo_model_answers_as_recorded(start_server: Any) -> None:
    server = start_server(DIGITS / "digits.onnx")
    samples = json.loads((DIGITS / "held_out.json").read_text())
    images = np.array([sample["image"] for sample in samples], np.float32)
    with Client(server.address) as client:
        probabilities = client.infer("digits", {"image": images})["probabilities"]
    assert probabilities.argmax(axis=1).tolist() == [sample["seen"] for sample in samples]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
