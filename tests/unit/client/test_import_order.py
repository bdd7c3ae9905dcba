"""Our client beside tritonclient in one process: both define a protobuf package `inference`."""

import subprocess
import sys

import pytest

PROGRAM = """
import {first}
import {second}
import numpy as np
from penstock_client import Client
import tritonclient.grpc as triton
from support.fake_inference_server import FakeInferenceServer

x = np.arange(8, dtype=np.float32).reshape(2, 4)
with FakeInferenceServer() as server:
    with Client(server.address) as client:
        assert (client.infer("m", {{"x": x}})["x"] == x).all()
    with triton.InferenceServerClient(server.address) as other:
        tensor = triton.InferInput("x", x.shape, "FP32")
        tensor.set_data_from_numpy(x)
        assert (other.infer("m", [tensor]).as_numpy("x") == x).all()
print("both answered")
"""


# What this process can import, the other one can too.
SAME_PATH = f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"

DEFAULT_POOL_PROGRAM = """
import penstock_client
from google.protobuf import descriptor_pool

try:
    descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")
except KeyError:
    print("untouched")
"""


def output_of(program: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", SAME_PATH + program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize(
    ("first", "second"),
    [("penstock_client", "tritonclient.grpc"), ("tritonclient.grpc", "penstock_client")],
)
def test_import_beside_tritonclient_either_order_works(first: str, second: str) -> None:
    assert output_of(PROGRAM.format(first=first, second=second)) == "both answered\n"


def test_import_leaves_the_default_pool_alone() -> None:
    assert output_of(DEFAULT_POOL_PROGRAM) == "untouched\n"
