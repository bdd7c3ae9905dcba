"""A server that takes JPEGs for a ResNet-18-shaped model, beside the decoder and the model alone.

Usage: python -m bench.preprocess_serve [--rounds 5] [--seconds 5]

`penstock serve` on one core, asked over gRPC from the other; against a loop of one thread on the
same core that decodes with penstock.preprocess and runs ONNX Runtime. Both in batches of the size
that is best for the loop. In turns; the answers are compared in the same run.
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
from typing import Any, NamedTuple

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
TIMEOUT_S = 60.0
CHAIN = {"from": "image", "to": "x", "steps": [{"decode_image": {}}, *STEPS]}
METHOD = "/inference.GRPCInferenceService/ModelInfer"


class Figures(NamedTuple):
    pictures_a_second: float
    cpu_ms: float  # for each picture


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

    def measure(self, seconds: float) -> Figures:
        os.sched_setaffinity(0, {SERVER_CORE})
        used = time.thread_time_ns()
        began = time.perf_counter()
        pictures_a_second = rate(self.run, self._batch, seconds)
        done = pictures_a_second * (time.perf_counter() - began)
        return Figures(pictures_a_second, (time.thread_time_ns() - used) / done / 1e6)


class Served:
    """The same through the server, with `open_calls` of one picture each under way."""

    def __init__(self, channel: grpc.Channel, server: int, file: bytes, open_calls: int) -> None:
        # Messages by hand: this client shares the machine with what it measures.
        self._call = channel.unary_unary(METHOD)
        self._request = make_request(file)
        self._server = server  # its process
        self._open_calls = open_calls

    def answer(self) -> NDArray[Any]:
        message = self._call(self._request, timeout=TIMEOUT_S)
        return np.frombuffer(message[-4000:], np.float32)

    def measure(self, seconds: float) -> Figures:
        os.sched_setaffinity(0, {CLIENT_CORE})
        used = cpu_time_ns(self._server)
        began = time.perf_counter()
        under_way = [self._begin() for _ in range(self._open_calls)]
        done = len(under_way)
        while time.perf_counter() - began < seconds:
            under_way.pop(0).result()
            under_way.append(self._begin())
            done += 1
        # To the last answer: of a batch that is half done when time is up, nothing would count.
        for call in under_way:
            call.result()
        elapsed = time.perf_counter() - began
        used = cpu_time_ns(self._server) - used
        return Figures(done / elapsed, used / done / 1e6)

    def _begin(self) -> Any:
        return self._call.future(self._request, timeout=TIMEOUT_S)


def cpu_time_ns(process: int) -> int:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


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
    file = make_jpeg(*SIZE)
    serve = [sys.executable, "-m", "penstock", "serve", str(model), "--grpc-port", "0", "--no-http"]
    threads = ["--io-threads", "1", "--compute-threads", "1"]
    os.sched_setaffinity(0, {SERVER_CORE})
    alone = Alone(model, file)
    settings = {"preprocessing": [CHAIN], "max_batch_size": alone.batch}
    model.with_suffix(".yaml").write_text(json.dumps(settings))  # JSON is YAML
    command = pinned([*serve, *threads], SERVER_CORE)
    # The threads of gRPC stay where the first of them was made.
    os.sched_setaffinity(0, {CLIENT_CORE})
    with (
        running(command, environment={}, working_directory=ROOT) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        served = Served(channel, server.process.pid, file, 2 * alone.batch)
        np.testing.assert_allclose(served.answer(), alone.run()[0], rtol=1e-3, atol=1e-4)
        rates = [(alone.measure(seconds), served.measure(seconds)) for _ in range(rounds)]
    ratios = [through.pictures_a_second / one.pictures_a_second for one, through in rates]
    for one, through in rates:
        print(
            f"decode + model alone {one.pictures_a_second:6.2f} pictures/s ({one.cpu_ms:.2f} ms "
            f"CPU each), served {through.pictures_a_second:6.2f} ({through.cpu_ms:.2f} ms)"
        )
    ratio = statistics.median(ratios)
    verdict = "pass" if ratio >= TARGET else "MISSED"
    print(
        f"JPEG {SIZE[0]}x{SIZE[1]} -> ResNet-18 on one core (batches of {alone.batch}): "
        f"{ratio:.3f} of decode + model alone ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"target >= {TARGET}: {verdict}"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
