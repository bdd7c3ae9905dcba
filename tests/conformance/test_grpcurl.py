"""grpcurl, which knows the server only through reflection; the commands of the README.

The program is $GRPCURL, or grpcurl of the PATH, or built once into build/tools where Go is there.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4"
BUILT_PATH = ROOT / "build/tools/grpcurl"


@pytest.fixture(scope="session")
def grpcurl_path() -> str:
    found = os.environ.get("GRPCURL") or shutil.which("grpcurl")
    if found:
        return found
    if not BUILT_PATH.exists():
        go = shutil.which("go")
        if go is None:
            pytest.skip(
                f"issue #2: needs grpcurl on PATH or in $GRPCURL, or Go to `go install {MODULE}`"
            )
        environment = os.environ | {"GOBIN": str(BUILT_PATH.parent)}
        subprocess.run([go, "install", MODULE], env=environment, check=True, timeout=600)
    return str(BUILT_PATH)


@pytest.fixture
def grpcurl(grpcurl_path: str, models_server: Any) -> Any:
    """grpcurl("list"): what it prints, asked of the server; `data` is the request as JSON."""

    def run(*arguments: str, data: str | None = None, code: int = 0) -> str:
        command = [grpcurl_path, "-plaintext", "-max-time", "30"]
        if data is not None:
            command += ["-d", data]
        finished = subprocess.run(
            [*command, models_server.address, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == code, finished.stderr
        return finished.stdout if code == 0 else finished.stderr

    return run


def test_list_names_every_service(grpcurl: Any) -> None:
    assert grpcurl("list").split() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "inference.GRPCInferenceService",
        "penstock.v1.Models",
    ]


def test_describe_shows_offered_calls_only(grpcurl: Any) -> None:
    text = grpcurl("describe", "inference.GRPCInferenceService")
    assert "rpc ModelInfer ( .inference.ModelInferRequest )" in text
    assert "ModelStreamInfer" not in text
    assert "raw_input_contents = 7" in grpcurl("describe", "inference.ModelInferRequest")


def test_calls_without_arguments(grpcurl: Any) -> None:
    assert json.loads(grpcurl("inference.GRPCInferenceService/ServerReady")) == {"ready": True}
    assert json.loads(grpcurl("grpc.health.v1.Health/Check")) == {"status": "SERVING"}


def test_model_metadata(grpcurl: Any) -> None:
    text = grpcurl("inference.GRPCInferenceService/ModelMetadata", data='{"name": "mlp"}')
    metadata = json.loads(text)
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "64"]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": ["-1", "10"]}]


def test_infer(grpcurl: Any, rows: Any, reference: Any) -> None:
    x = rows(1, 64)
    request = {
        "model_name": "mlp",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64]}],
        "raw_input_contents": [base64.b64encode(x.tobytes()).decode()],
    }
    text = grpcurl("inference.GRPCInferenceService/ModelInfer", data=json.dumps(request))
    answer = json.loads(text)
    # Versions of grpcurl differ in how they spell a field whose descriptor names no JSON name.
    contents = answer.get("raw_output_contents") or answer["rawOutputContents"]
    raw = base64.b64decode(contents[0])
    np.testing.assert_array_equal(
        np.frombuffer(raw, np.float32), reference("mlp", x=x)["y"].reshape(-1)
    )


def test_infer_unknown_model_is_not_found(grpcurl: Any) -> None:
    text = grpcurl(
        "inference.GRPCInferenceService/ModelInfer",
        data='{"model_name": "missing"}',
        code=64 + 5,  # grpcurl exits with 64 plus gRPC's code
    )
    assert "NotFound" in text
    assert "missing" in text
