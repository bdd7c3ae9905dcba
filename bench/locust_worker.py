"""The fastest gRPC user that Locust can run: one channel, recorded bytes, answers compared.

What bench/load_generator.py puts the native generator beside. Reads PENSTOCK_BENCH_REQUEST and
PENSTOCK_BENCH_ANSWER, the names of two files.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import grpc.experimental.gevent as grpc_gevent
from locust import User, task

grpc_gevent.init_gevent()

import grpc  # noqa: E402

_PATH = "/inference.GRPCInferenceService/ModelInfer"


class RecordedUser(User):
    """Closed loop, as every Locust user."""

    def on_start(self) -> None:
        self.request = Path(os.environ["PENSTOCK_BENCH_REQUEST"]).read_bytes()
        self.answer = Path(os.environ["PENSTOCK_BENCH_ANSWER"]).read_bytes()
        # All users of the process share one connection: the fastest of what was tried.
        self.channel = grpc.insecure_channel(self.host)
        self.call = self.channel.unary_unary(_PATH)

    def on_stop(self) -> None:
        self.channel.close()

    @task
    def infer(self) -> None:
        failure: Exception | None = None
        started_s = time.perf_counter()
        try:
            if self.call(self.request, timeout=10) != self.answer:
                failure = ValueError("a wrong answer")
        except grpc.RpcError as error:
            failure = error
        self.environment.events.request.fire(
            request_type="grpc",
            name="ModelInfer",
            response_time=(time.perf_counter() - started_s) * 1000,
            response_length=len(self.answer),
            exception=failure,
            context={},
        )
