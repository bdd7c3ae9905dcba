"""The recorded requests and the answers that they must get, as files for the replay client."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import messages as protocol

MODEL_NAME = "mlp"
INPUT_NAME = "x"
OUTPUT_COUNT = 10  # FP32 of the model's answer to one row
_SEED = 2

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Files below one folder, and what is in them."""

    folder: Path
    messages: protocol.Messages
    descriptors: Path
    model: Path
    row: FloatArray

    def request_file(self, message: str) -> Path:
        """A serialized ModelInferRequest: "small" or "large"."""
        return self.folder / f"{message}.request"

    def echo_file(self, message: str) -> Path:
        """What an echo must answer to it."""
        return self.folder / f"{message}.echo"


def prepare(folder: Path) -> Workload:
    """Makes the model, the descriptors and the requests; deterministic."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptors = protocol.compile_descriptors(folder / "descriptors.bin")
    messages = protocol.load(descriptors)
    random = np.random.default_rng(_SEED)
    row = random.standard_normal((1, 64), dtype=np.float32)
    image = random.standard_normal((1, 3, 224, 224), dtype=np.float32)
    workload = Workload(
        folder=folder,
        messages=messages,
        descriptors=descriptors,
        model=make_model(folder),
        row=row,
    )
    for name, tensor in (("small", row), ("large", image)):
        request = protocol.infer_request(
            messages, model=MODEL_NAME, tensor=INPUT_NAME, shape=tensor.shape, raw=tensor.tobytes()
        )
        workload.request_file(name).write_bytes(request.SerializeToString())
        echo = protocol.echo_of(messages, request)
        workload.echo_file(name).write_bytes(echo.SerializeToString())
    return workload


def make_model(folder: Path) -> Path:
    """mlp.onnx, from the script that makes the tests' models."""
    script = protocol.ROOT / "scripts" / "make_test_models.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder / f"{MODEL_NAME}.onnx"


class WrongAnswerError(RuntimeError):
    """The server under test answered something else than ONNX Runtime does."""


def check_model_answer(workload: Workload, answer: bytes, expected: FloatArray) -> None:
    """Raises unless a recorded answer of our server is what the model gives.

    The replay client compares all later answers with this one: byte for byte up to the last
    floats, which may differ a little between batch sizes. So the floats must come last.
    """
    response: Any = workload.messages.response.FromString(answer)
    if response.model_name != MODEL_NAME or response.id != "1":
        raise WrongAnswerError(f"answer names model {response.model_name!r}, id {response.id!r}")
    outputs = [(each.name, each.datatype, list(each.shape)) for each in response.outputs]
    if outputs != [("y", "FP32", list(expected.shape))]:
        raise WrongAnswerError(f"answer describes {outputs}")
    raw = response.raw_output_contents[0]
    values = np.frombuffer(raw, dtype=np.float32).reshape(expected.shape)
    bound = 1e-5 * float(np.abs(expected).max())
    if not np.allclose(values, expected, rtol=0, atol=bound):
        raise WrongAnswerError(f"answer is {values}, ONNX Runtime gives {expected}")
    if not answer.endswith(raw):
        raise WrongAnswerError("raw_output_contents is not the answer's last field")
