"""A server with the models that these tests call, and what ONNX Runtime itself answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

DIGITS_PATH = Path(__file__).resolve().parents[2] / "examples/digits/digits.onnx"
MAX_BATCH_SIZE = 64

Reference = Callable[..., dict[str, NDArray[Any]]]


@pytest.fixture
def models_server(start_server: Any) -> Any:
    """Serves `mlp` (x [-1,64] to y [-1,10]) and `two_by_two` (a, b to sum, product; [-1,4]).

    The batch size is said, since the measured one differs between machines and runs.
    """
    return start_server("mlp", "two_by_two", flags=["--max-batch-size", str(MAX_BATCH_SIZE)])


@pytest.fixture
def channel(models_server: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(models_server.address) as made:
        yield made


@pytest.fixture
def reference(test_models: Path) -> Reference:
    """reference("mlp", x=array): the outputs by name, from ONNX Runtime's Python API."""

    def run(model: str, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        session = onnxruntime.InferenceSession(
            test_models / f"{model}.onnx", providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    return run


@pytest.fixture
def rows() -> Callable[[int, int], NDArray[np.float32]]:
    """rows(3, 64): that many different rows of normal noise, the same in every run."""
    random = np.random.default_rng(20261121)

    def make(count: int, width: int) -> NDArray[np.float32]:
        return random.normal(size=(count, width)).astype(np.float32)

    return make
