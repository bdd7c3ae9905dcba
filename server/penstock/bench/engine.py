"""Runs the C++ generator once and turns what it measured into plain values.

The main thread waits here without the GIL and looks up ten times a second, for the progress and for
Ctrl-C. Knows the core's interface and no flag.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from penstock import _core
from penstock.bench.errors import BenchError
from penstock.bench.measurement import (
    Counts,
    Histogram,
    Measurement,
    PayloadMeasurement,
    Second,
)

__all__ = ["Watch", "call_once", "run_load"]

Watch = Callable[[_core.LoadProgress], None]

_LOOK_S = 0.1
# Stop ends a run at once; this only bounds a wait that should not be one.
_STOP_S = 5.0


def run_load(options: _core.LoadOptions, watch: Watch) -> tuple[Measurement, bool]:
    """Returns what was measured, and whether Ctrl-C ended it. Raises BenchError where the engine
    refuses the options."""
    try:
        run = _core.LoadRun.create(options)
    except _core.Error as error:
        _refused(error)
    interrupted = False
    try:
        run.start()
        while not run.wait(_LOOK_S):
            watch(run.snapshot())
    except KeyboardInterrupt:
        interrupted = True
        run.stop()
        if not run.wait(_STOP_S):
            raise BenchError("the generator did not stop; nothing can be shown") from None
    return _measurement(run.result()), interrupted


def call_once(host: str, port: int, path: str, message: bytes, timeout_s: float) -> _core.UnaryCall:
    """One call on a connection of its own; code says how it went."""
    return _core.UnaryCall.run(
        host=host, port=port, path=path, message=message, timeout_s=timeout_s
    )


def _refused(error: _core.Error) -> NoReturn:
    _, message = error.args
    raise BenchError(message) from None


def _measurement(result: _core.LoadResult) -> Measurement:
    return Measurement(
        end=result.end,
        failure=result.failure,
        duration_s=result.duration_s,
        elapsed_s=result.elapsed_s,
        counts=_counts(result.counts),
        payloads=tuple(
            PayloadMeasurement(counts=_counts(each.counts), latency=_histogram(each.latency))
            for each in result.payloads
        ),
        latency=_histogram(result.latency),
        latency_from_send=_histogram(result.latency_from_send),
        shed_latency=_histogram(result.shed_latency),
        schedule_error=_histogram(result.schedule_error),
        seconds=tuple(_second(second) for second in result.seconds),
        examples=tuple(result.examples),
        warmup_calls=result.warmup_calls,
        connections_lost=result.connections_lost,
        stream_limited=result.stream_limited,
        stream_limit=result.stream_limit,
        cpu_s=result.cpu_s,
        busy_share=result.busy_share,
    )


def _counts(counts: _core.LoadCounts) -> Counts:
    return Counts(
        offered=counts.offered,
        sent=counts.sent,
        ok=counts.ok,
        wrong=counts.wrong,
        shed=counts.shed,
        deadline_missed=counts.deadline_missed,
        errors=counts.errors,
        transport_errors=counts.transport_errors,
        unanswered=counts.unanswered,
        generator_limited=counts.generator_limited,
        statuses=counts.statuses,
    )


def _histogram(histogram: _core.LoadHistogram) -> Histogram:
    return Histogram(
        count=histogram.count,
        mean_us=histogram.mean_us,
        min_us=histogram.min_us,
        max_us=histogram.max_us,
        buckets=tuple(histogram.buckets),
    )


def _second(second: _core.LoadSecond) -> Second:
    return Second(
        index=second.index,
        offered=second.offered,
        sent=second.sent,
        ok=second.ok,
        failed=second.failed,
        in_flight=second.in_flight,
        p50_us=second.p50_us,
        p99_us=second.p99_us,
        max_us=second.max_us,
    )
