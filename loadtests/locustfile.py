"""Load on ModelInfer of the digits model, judged: any error or wrong answer is a failure.

    locust -f loadtests/locustfile.py --headless -u 20 -r 20 -t 10s --host 127.0.0.1:8001

Exits with 0 only if requests were made and all of them were answered rightly. Each user is one
connection that sends its next request when the last one is answered.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import grpc.experimental.gevent as grpc_gevent
import numpy as np
from locust import User, events, task
from numpy.typing import NDArray
from penstock_client import Client

# Before the first channel: without it a call blocks all users, and the latencies lie.
grpc_gevent.init_gevent()

SAMPLES_PATH = Path(__file__).resolve().parents[1] / "examples/digits/held_out.json"
SAMPLES = json.loads(SAMPLES_PATH.read_text(encoding="utf-8"))
IMAGES = np.array([sample["image"] for sample in SAMPLES], np.float32)
ANSWERS = np.array([sample["seen"] for sample in SAMPLES])
ROWS_OF_A_BATCH = 8
TIMEOUT_S = 10.0
DEFAULT_ADDRESS = "127.0.0.1:8001"


class DigitsUser(User):
    """Nine requests of one scan for each request of eight."""

    def on_start(self) -> None:
        # Without retries: a load test has to see every failure.
        self.client = Client(
            (self.host or DEFAULT_ADDRESS).removeprefix("grpc://"), timeout=TIMEOUT_S, retry=None
        )
        self.next_scan = 0

    def on_stop(self) -> None:
        # A channel left open keeps Locust from ending.
        self.client.close()

    @task(9)
    def one_row(self) -> None:
        self.infer("ModelInfer 1 row", 1)

    @task(1)
    def several_rows(self) -> None:
        self.infer(f"ModelInfer {ROWS_OF_A_BATCH} rows", ROWS_OF_A_BATCH)

    def infer(self, name: str, row_count: int) -> None:
        rows = (self.next_scan + np.arange(row_count)) % len(IMAGES)
        self.next_scan = (self.next_scan + row_count) % len(IMAGES)
        failure: Exception | None = None
        size_bytes = 0
        started = time.perf_counter()
        try:
            probabilities = self.client.infer("digits", {"image": IMAGES[rows]})["probabilities"]
            size_bytes = probabilities.nbytes
        except Exception as error:  # all of it belongs into the report
            failure = error
        elapsed_ms = (time.perf_counter() - started) * 1000
        if failure is None:
            failure = judged(probabilities, ANSWERS[rows])
        self.environment.events.request.fire(
            request_type="grpc",
            name=name,
            response_time=elapsed_ms,
            response_length=size_bytes,
            exception=failure,
            context={},
        )


def judged(probabilities: NDArray[Any], answers: NDArray[Any]) -> Exception | None:
    """What is wrong with the outputs, or nothing."""
    if probabilities.shape != (len(answers), 10):
        return ValueError(f"probabilities {list(probabilities.shape)}, not [{len(answers)}, 10]")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        return ValueError("probabilities that do not sum to 1")
    if (probabilities.argmax(axis=1) != answers).any():
        return ValueError("a wrong digit")
    return None


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def fail_without_requests(environment: Any, **_arguments: Any) -> None:
    """Locust itself sees no failure in a run that never got to send anything."""
    if environment.stats.total.num_requests == 0:
        environment.process_exit_code = 1
