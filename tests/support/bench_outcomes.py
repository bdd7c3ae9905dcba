"""Made-up benchmark outcomes: for tests of what follows from a measurement."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from penstock.bench.arguments import add_bench_arguments
from penstock.bench.health import check_health
from penstock.bench.machine import Machine
from penstock.bench.measurement import (
    Counts,
    Histogram,
    Measurement,
    PayloadMeasurement,
    Second,
    judge_slo,
)
from penstock.bench.outcome import BenchOutcome, BenchRun, Purpose, Target
from penstock.bench.payloads import Payload
from penstock.bench.settings import BenchSettings, make_settings
from penstock.bench.slo import SloSearch

MACHINE = Machine(
    cpu="Made-up <CPU>",
    cpus=2,
    memory_gib=4.0,
    kernel="6.1",
    system="Debian",
    python="3.11",
    load_average=0.1,
)


def settings_of(*flags: str) -> BenchSettings:
    parser = argparse.ArgumentParser()
    add_bench_arguments(parser)
    return make_settings(parser.parse_args(["127.0.0.1:8001", "--model", "m", *flags]))


def histogram_of(values_us: Sequence[float]) -> Histogram:
    """Each value is a bucket of its own."""
    ordered = sorted(values_us)
    if not ordered:
        return Histogram()
    return Histogram(
        count=len(ordered),
        mean_us=sum(ordered) / len(ordered),
        min_us=ordered[0],
        max_us=ordered[-1],
        buckets=tuple((value, 1) for value in ordered),
    )


def measurement_of(values_us: Sequence[float], *, seconds: int = 4, **fields: Any) -> Measurement:
    """All calls ok with these latencies, spread evenly over the seconds. Fields replace what would
    follow; `counts` are those that are not 0, without `offered`."""
    ok = len(values_us)
    given: dict[str, int] = dict(fields.pop("counts", {"ok": ok}))
    offered = sum(given.values())
    statuses = {0: given.get("ok", 0)}
    latency = histogram_of(values_us)
    counts = Counts(offered=offered, sent=offered, statuses=statuses, **given)
    each = max(1, offered // seconds)
    made: dict[str, Any] = {
        "end": "finished",
        "duration_s": float(seconds),
        "elapsed_s": seconds + 0.01,
        "counts": counts,
        "payloads": (PayloadMeasurement(counts=counts, latency=latency),),
        "latency": latency,
        "latency_from_send": latency,
        "schedule_error": histogram_of([1.0] * ok),
        "seconds": tuple(
            Second(
                index=index,
                offered=each,
                sent=each,
                ok=each,
                failed=0,
                in_flight=3,
                p50_us=latency.percentile_us(50) or 0.0,
                p99_us=latency.percentile_us(99) or 0.0,
                max_us=latency.max_us,
            )
            for index in range(seconds)
        ),
        "cpu_s": 1.0,
        "busy_share": 0.2,
    }
    return Measurement(**made | fields)


def run_of(
    settings: BenchSettings,
    measured: Measurement,
    *,
    purpose: Purpose = "run",
    rate: float | None = None,
) -> BenchRun:
    open_loop = purpose == "search" or settings.goal == "open"
    slo = settings.slo if open_loop else None
    return BenchRun(
        purpose=purpose,
        open_loop=open_loop,
        rate=rate,
        measured=measured,
        verdict=None if slo is None else judge_slo(measured, slo),
        health=check_health(
            measured, open_loop=open_loop, in_flight_max=settings.in_flight_max, slo=slo
        ),
    )


def outcome_of(settings: BenchSettings, *runs: BenchRun, interrupted: bool = False) -> BenchOutcome:
    answer = None
    if settings.goal == "search":
        search = SloSearch(start=runs[1].rate or 1.0)
        for run in runs:
            if run.rate is not None and run.verdict is not None:
                search.add(run.rate, met=run.verdict.met)
        answer = search.result()
    payload = Payload(
        model="m", messages=(b"1", b"2"), expected=(), inputs=("x FP32 [1,64] random",)
    )
    return BenchOutcome(
        settings=settings,
        target=Target(server_name="fake", server_version="7", payloads=(payload,)),
        machine=MACHINE,
        started_at="2026-01-02T03:04:05+00:00",
        command=("penstock", "bench", "127.0.0.1:8001", "--model", "m"),
        runs=tuple(runs),
        answer=answer,
        interrupted=interrupted,
    )


def search_outcome(*, interrupted: bool = False) -> BenchOutcome:
    """A capacity run, rates that met 20 ms, and rates that missed it; the gap is confirmed."""
    settings = settings_of("--slo", "p99=20ms")
    runs = [run_of(settings, measurement_of([900.0] * 400), purpose="capacity")]
    for rate, slow_us in (
        (700.0, 3e3),
        (945.0, 9e3),
        (1275.0, 500e3),
        (1000.0, 15e3),
        (1010.0, 30e3),
        (1000.0, 16e3),
        (1010.0, 40e3),
    ):
        values = [1e3] * 2000 + [slow_us] * 40
        runs.append(run_of(settings, measurement_of(values), purpose="search", rate=rate))
    return outcome_of(settings, *runs, interrupted=interrupted)
