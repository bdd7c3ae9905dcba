"""A server that takes JPEGs for a ResNet-18-shaped model, beside the decoder and the model alone.

Usage: python -m bench.preprocess_serve [--rounds 5] [--seconds 5]

`penstock serve` on one core, asked over gRPC from the other; against a loop of one thread on the
same core that decodes with penstock.preprocess and runs ONNX Runtime, in the batch size that is
best for it. In turns; the answers are compared in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from penstock.preprocess import Pipeline

from bench.overload.images import make_resnet18
from bench.preprocess_images import STEPS, make_jpeg
from bench.server_process import pinned, running

ROOT = Path(__file__).resolve().parents[1]
TARGET = 0.97
SIZE = (640, 480)
SERVER_CORE, CLIENT_CORE = 0, 1
CALLS_OPEN = 8
TIMEOUT_S = 60.0
CHAIN = {"from": "image", "to": "x", "steps": [{"decode_image": {}}, *STEPS]}
METHOD = "/inference.GRPCInferenceService/ModelInfer"


class Alone:
    """Decode and model on the calling thread."""

    def __init__(self, model: Path, file: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options)
        self._pipeline = Pipeline([{"decode_image": {}}, *STEPS])
        self._file = file
        self._memory = np.empty((8, 3, 224, 224), np.float32)
        self._batch = 1
        self._batch = max((1, 2, 4, 8), key=self._rate_of)

    @property
    def batch(self) -> int:
        return self._batch

    def _rate_of(self, batch: int) -> float:
        self._batch = batch
        self.run()  # the first run pays for memory
        return rate(self.run, batch, 2.0)

    def run(self) -> NDArray[Any]:
        tensor = self._pipeline([self._file] * self._batch, out=self._memory[: self._batch])
        answer: NDArray[Any] = self._session.run(["y"], {"x": tensor})[0]
        return answer

    def measure(self, seconds: float) -> float:
        """Pictures a second."""
        os.sched_setaffinity(0, {SERVER_CORE})
        return rate(self.run, self._batch, seconds)


class Served:
    """The same through the server, with CALLS_OPEN calls of one picture under way."""

    def __init__(self, channel: grpc.Channel, file: bytes) -> None:
        # Messages by hand: this client shares the machine with what it measures.
        self._call = channel.unary_unary(METHOD)
        self._request = make_request(file)

    def answer(self) -> NDArray[Any]:
        message = self._call(self._request, timeout=TIMEOUT_S)
        return np.frombuffer(message[-4000:], np.float32)

    def measure(self, seconds: float) -> float:
        os.sched_setaffinity(0, {CLIENT_CORE})
        under_way = [self._call.future(self._request, timeout=TIMEOUT_S) for _ in range(CALLS_OPEN)]
        done = 0
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            under_way.pop(0).result()
            under_way.append(self._call.future(self._request, timeout=TIMEOUT_S))
            done += 1
        for call in under_way:
            call.result()
        return done / elapsed


def make_request(file: bytes) -> bytes:
    """ModelInferRequest: model `resnet18`, input `image` BYTES [1], the file as raw contents."""

    def field(number: int, body: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(body)) + body

    image = field(1, b"image") + field(2, b"BYTES") + field(3, b"\x01")
    raw = len(file).to_bytes(4, "little") + file
    return field(1, b"resnet18") + field(5, image) + field(7, raw)


def varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def rate(run: Callable[[], Any], pictures: int, seconds: float) -> float:
    done = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        run()
        done += pictures
    return done / elapsed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-serve-"))
    try:
        return bench(folder, arguments.rounds, arguments.seconds)
    finally:
        shutil.rmtree(folder)


def bench(folder: Path, rounds: int, seconds: float) -> int:
    model = make_resnet18(folder / "resnet18.onnx")
    # JSON is YAML.
    model.with_suffix(".yaml").write_text(json.dumps({"preprocessing": [CHAIN]}))
    file = make_jpeg(*SIZE)
    serve = [sys.executable, "-m", "penstock", "serve", str(model), "--grpc-port", "0", "--no-http"]
    threads = ["--io-threads", "1", "--compute-threads", "1"]
    os.sched_setaffinity(0, {SERVER_CORE})
    alone = Alone(model, file)
    command = pinned([*serve, *threads], SERVER_CORE)
    # The threads of gRPC stay where the first of them was made.
    os.sched_setaffinity(0, {CLIENT_CORE})
    with (
        running(command, environment={}, working_directory=ROOT) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        served = Served(channel, file)
        np.testing.assert_allclose(served.answer(), alone.run()[0], rtol=1e-3, atol=1e-4)
        rates = [(alone.measure(seconds), served.measure(seconds)) for _ in range(rounds)]
    ratios = [through / by_itself for by_itself, through in rates]
    for by_itself, through in rates:
        print(f"decode + model alone {by_itself:6.2f} pictures/s, served {through:6.2f} pictures/s")
    ratio = statistics.median(ratios)
    verdict = "pass" if ratio >= TARGET else "MISSED"
    print(
        f"JPEG {SIZE[0]}x{SIZE[1]} -> ResNet-18 on one core (alone in batches of {alone.batch}): "
        f"{ratio:.3f} of decode + model alone ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"target >= {TARGET}: {verdict}"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
