"""Who sends what: the users that scenarios put together. gevent's threads only, no real ones.

All of them judge the answers; what they count as a failure is written at each.
"""

from __future__ import annotations

import random
import time
from typing import Any, ClassVar

import gevent
import grpc
import numpy as np
from locust import User, task
from numpy.typing import NDArray
from penstock_client import Client, TensorMetadata
from penstock_client.wire import decode_response, dtype_of, encode_request

from loadtests.locustfile import ANSWERS, DEFAULT_ADDRESS, IMAGES, TIMEOUT_S, DigitsUser, judged
from loadtests.scenario import Scenario
from loadtests.slow_connection import SlowConnection

INFER_PATH = "/inference.GRPCInferenceService/ModelInfer"
_SEED = 20261121


class DigitsCaller(DigitsUser):
    """The simplest load test's user, with the stage of the test in its requests' names."""

    abstract = True
    scenario: ClassVar[Scenario]

    def infer(self, name: str, row_count: int) -> None:
        super().infer(self.scenario.name(name, self.environment), row_count)


class LargeCaller(DigitsCaller):
    """Every request is as large as `rows` scans: 1,024 of them are 256 KiB."""

    abstract = True
    rows: ClassVar[int] = 1024

    @task
    def many_rows(self) -> None:
        self.infer(f"ModelInfer {self.rows} rows", self.rows)


# Locust adds up the tasks of all base classes; this user sends no small requests.
LargeCaller.tasks = [LargeCaller.many_rows]


class ReportingUser(User):
    """What the users below share: the address, and how a request gets into the statistics."""

    abstract = True
    scenario: ClassVar[Scenario]

    @property
    def address(self) -> str:
        """host:port, as grpcio wants it."""
        return (self.host or DEFAULT_ADDRESS).removeprefix("grpc://")

    def report(self, what: str, started_s: float, failure: Exception | None) -> None:
        """Counts one request, which began at time.perf_counter() `started_s` and ends now."""
        self.environment.events.request.fire(
            request_type="grpc",
            name=self.scenario.name(what, self.environment),
            response_time=(time.perf_counter() - started_s) * 1000,
            response_length=0,
            exception=failure,
            context={},
        )


class ReconnectingCaller(ReportingUser):
    """A connection for each request. Refused, broken or wrong is a failure."""

    abstract = True

    @task
    def connect_and_infer(self) -> None:
        scan = random.randrange(len(IMAGES))
        failure: Exception | None = None
        started_s = time.perf_counter()
        try:
            with Client(self.address, timeout=TIMEOUT_S, retry=None) as client:
                outputs = client.infer("digits", {"image": IMAGES[scan : scan + 1]})
            failure = judged(outputs["probabilities"], ANSWERS[scan : scan + 1])
        except Exception as error:  # all of it belongs into the report
            failure = error
        self.report("connect, ModelInfer", started_s, failure)


class CancellingCaller(ReportingUser):
    """Starts `burst` calls at once and cancels each after a moment, often before its answer.

    A call may end as cancelled or be answered first; anything else is a failure.
    """

    abstract = True
    burst: ClassVar[int] = 16
    patience_s_max: ClassVar[float] = 0.004

    def on_start(self) -> None:
        self.channel = grpc.insecure_channel(
            self.address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.call = self.channel.unary_unary(INFER_PATH)
        self.requests = [encode_request("digits", {"image": image[None]}) for image in IMAGES]

    def on_stop(self) -> None:
        self.channel.close()

    @task
    def cancel_burst(self) -> None:
        started_s = time.perf_counter()
        calls = [
            self.call.future(random.choice(self.requests), timeout=TIMEOUT_S)
            for _ in range(self.burst)
        ]
        for call in calls:
            gevent.sleep(random.uniform(0, self.patience_s_max / self.burst))
            call.cancel()
        for call in calls:
            code = call.code()  # waits for its end
            what = "answered before the cancel" if code is grpc.StatusCode.OK else "cancelled"
            good = code in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)
            failure = None if good else RuntimeError(f"{code.name}: {call.details()}")
            self.report(what, started_s, failure)


class SlowReader(ReportingUser):
    """Has `calls` requests answered at once and takes in the answers some bytes at a time.

    Answers must come whole and right however slowly they are read; else it is a failure.
    """

    abstract = True
    calls: ClassVar[int] = 16
    window_bytes: ClassVar[int] = 16  # an answer is about ten times as long
    pause_s: ClassVar[float] = 0.02

    def on_start(self) -> None:
        self.connection: SlowConnection | None = None

    def on_stop(self) -> None:
        if self.connection is not None:
            self.connection.close()

    @task
    def read_slowly(self) -> None:
        scans = [random.randrange(len(IMAGES)) for _ in range(self.calls)]
        started_s = time.perf_counter()
        try:
            if self.connection is None:
                self.connection = SlowConnection(self.address, self.window_bytes)
            messages = [encode_request("digits", {"image": IMAGES[each][None]}) for each in scans]
            answers = self.connection.exchange(
                INFER_PATH, messages, pause_s=self.pause_s, timeout_s=TIMEOUT_S
            )
        except (OSError, ValueError) as error:
            self.report("ModelInfer, read slowly", started_s, error)
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            gevent.sleep(self.pause_s)  # the next attempt may be refused at once
            return
        for scan, answer in zip(scans, answers, strict=True):
            self.report("ModelInfer, read slowly", started_s, judged_answer(answer, scan))


def judged_answer(answer: bytes, scan: int) -> Exception | None:
    """What is wrong with the message that answered a scan, or nothing."""

    try:
        probabilities = decode_response(answer)["probabilities"]
    except Exception as error:  # the decoder's own words belong into the report
        return error
    return judged(probabilities, ANSWERS[scan : scan + 1])


class MixedCaller(ReportingUser):
    """Any models, in turn, on one connection: random tensors by the models' metadata.

    The same tensors must get the same answer, up to rounding, as they got first.
    """

    abstract = True

    def on_start(self) -> None:
        self.client = Client(self.address, timeout=TIMEOUT_S, retry=None)
        self.random = np.random.default_rng(_SEED)
        self.inputs: dict[str, dict[str, NDArray[Any]]] = {}
        self.first: dict[str, dict[str, NDArray[Any]]] = {}

    def on_stop(self) -> None:
        self.client.close()

    @task
    def any_model(self) -> None:
        model = random.choice(self.environment.parsed_options.models.split(","))
        failure: Exception | None = None
        started_s = time.perf_counter()
        try:
            if model not in self.inputs:
                declared = self.client.model_metadata(model).inputs
                self.inputs[model] = {each.name: self._tensor(each) for each in declared}
                started_s = time.perf_counter()
            outputs = dict(self.client.infer(model, self.inputs[model]))
            failure = differing(outputs, self.first.setdefault(model, outputs))
        except Exception as error:  # all of it belongs into the report
            failure = error
        self.report(f"ModelInfer {model}", started_s, failure)

    def _tensor(self, declared: TensorMetadata) -> NDArray[Any]:
        shape = [1 if size < 0 else size for size in declared.shape]
        return (self.random.random(shape) * 8).astype(dtype_of(declared.datatype))


def differing(outputs: dict[str, NDArray[Any]], first: dict[str, NDArray[Any]]) -> Exception | None:
    """In what an answer is not the first one, or nothing."""
    if outputs.keys() != first.keys():
        return ValueError(f"outputs {sorted(outputs)}, first {sorted(first)}")
    for name, values in outputs.items():
        expected = first[name]
        if values.shape != expected.shape or values.dtype != expected.dtype:
            return ValueError(f"output {name!r} changed its shape or type")
        if values.dtype.kind == "f":
            bound = 1e-4 * float(np.abs(expected).max(initial=0))
            if not np.allclose(values, expected, rtol=0, atol=bound, equal_nan=True):
                return ValueError(f"output {name!r} is not what it was")
        elif not np.array_equal(values, expected):
            return ValueError(f"output {name!r} is not what it was")
    return None
