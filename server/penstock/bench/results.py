"""The JSON of `penstock bench --json`. PURE; docs/reference/bench-json.md says what each key means.

A key is never left out: what does not apply or was not measured is null.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from penstock._version import __version__
from penstock.bench.measurement import Counts, Histogram, Measurement, Second, rates_of
from penstock.bench.outcome import (
    STATUS_NAMES,
    BenchOutcome,
    BenchRun,
    exit_code_of,
    failure_of,
)
from penstock.bench.settings import BenchSettings
from penstock.bench.slo import SloAnswer

__all__ = ["PERCENTILES", "SCHEMA", "make_document", "percentile_key"]

SCHEMA = "penstock-bench/1"
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)

Document = dict[str, Any]


def make_document(outcome: BenchOutcome) -> Document:
    shown = outcome.shown
    return {
        "schema": SCHEMA,
        "end": outcome.end,
        "failure": failure_of(outcome),
        "exit_code": exit_code_of(outcome),
        "started_at": outcome.started_at,
        "address": outcome.settings.address,
        "goal": outcome.settings.goal,
        **_figures(shown.measured),
        "latency": _histogram(shown.measured.latency, buckets=True),
        "latency_from_send": _histogram(shown.measured.latency_from_send, buckets=False),
        "shed_latency": _histogram(shown.measured.shed_latency, buckets=False),
        "slo": _slo(outcome),
        "runs": [_run(run) for run in outcome.runs],
        "models": _models(outcome, shown),
        "seconds": [_second(second) for second in shown.measured.seconds],
        "failures": [{"text": text, "count": count} for text, count in shown.measured.examples],
        "generator": _generator(shown),
        "machine": dataclasses.asdict(outcome.machine),
        "versions": {
            "penstock": __version__,
            "server": outcome.target.server_name,
            "server_version": outcome.target.server_version,
        },
        "settings": _settings(outcome.settings),
        "command": list(outcome.command),
    }


def percentile_key(percent: float) -> str:
    """ "p99_9_ms"."""
    return f"p{percent:g}_ms".replace(".", "_")


def _figures(measured: Measurement) -> Document:
    rates = rates_of(measured)
    return {
        "duration_s": _rounded(measured.duration_s),
        "elapsed_s": _rounded(measured.elapsed_s),
        "offered": _rounded(rates.offered),
        "throughput": _rounded(rates.throughput),
        "goodput": _rounded(rates.goodput),
        **_percentiles(measured.latency),
        "calls": measured.counts.offered,
        **_counts(measured.counts),
    }


def _percentiles(histogram: Histogram) -> Document:
    return {
        percentile_key(percent): _milliseconds(histogram.percentile_us(percent))
        for percent in PERCENTILES
    }


def _counts(counts: Counts) -> Document:
    return {
        "sent": counts.sent,
        "ok": counts.ok,
        "wrong": counts.wrong,
        "shed": counts.shed,
        "deadline_missed": counts.deadline_missed,
        "errors": counts.errors,
        "transport_errors": counts.transport_errors,
        "unanswered": counts.unanswered,
        "generator_limited": counts.generator_limited,
        "statuses": {_status_name(code): count for code, count in sorted(counts.statuses.items())},
    }


def _status_name(code: int) -> str:
    return STATUS_NAMES[code] if 0 <= code < len(STATUS_NAMES) else str(code)


def _histogram(histogram: Histogram, *, buckets: bool) -> Document:
    made: Document = {
        "count": histogram.count,
        "mean_ms": _milliseconds(histogram.mean_us) if histogram.count else None,
        "min_ms": _milliseconds(histogram.min_us) if histogram.count else None,
        "max_ms": _milliseconds(histogram.max_us) if histogram.count else None,
        **_percentiles(histogram),
    }
    if buckets:
        made["buckets"] = [[_milliseconds(value), count] for value, count in histogram.buckets]
    return made


def _slo(outcome: BenchOutcome) -> Document | None:
    slo = outcome.settings.slo
    if slo is None:
        return None
    verdict = outcome.shown.verdict
    return {
        "percentile": slo.percent,
        "limit_ms": slo.limit_ms,
        "met": outcome.answer.rate is not None
        if outcome.answer
        else verdict is not None and verdict.met,
        "share_within": verdict and _rounded(verdict.share_within, 6),
        "percentile_ms": verdict and _or_none(verdict.percentile_ms),
        "uncertain": verdict is not None and verdict.uncertain,
        "search": _search(outcome.answer, outcome) if outcome.answer else None,
    }


def _search(answer: SloAnswer, outcome: BenchOutcome) -> Document:
    capacity = next((run for run in outcome.runs if run.purpose == "capacity"), None)
    return {
        "rate": _or_none(answer.rate),
        "missed_rate": _or_none(answer.missed_rate),
        "confirmed": answer.confirmed,
        "why": answer.why,
        "capacity": capacity and _rounded(rates_of(capacity.measured).goodput),
        "votes": [
            {
                "rate": _rounded(vote.rate),
                "met": vote.met,
                "missed": vote.missed,
                "generator_limited": vote.limited,
            }
            for vote in answer.votes
        ],
    }


def _run(run: BenchRun) -> Document:
    return {
        "purpose": run.purpose,
        "rate": _or_none(run.rate),
        "met": run.verdict and run.verdict.met,
        "share_within": run.verdict and _rounded(run.verdict.share_within, 6),
        "end": run.measured.end,
        **_figures(run.measured),
        "generator_was_limit": run.health.limited,
    }


def _models(outcome: BenchOutcome, shown: BenchRun) -> list[Document]:
    rows = zip(
        outcome.settings.models, outcome.target.payloads, shown.measured.payloads, strict=False
    )
    return [
        {
            "name": model.name,
            "version": model.version,
            "weight": model.weight,
            "inputs": list(payload.inputs),
            "messages": len(payload.messages),
            "calls": measured.counts.offered,
            **_counts(measured.counts),
            **_percentiles(measured.latency),
        }
        for model, payload, measured in rows
    ]


def _second(second: Second) -> Document:
    return {
        "index": second.index,
        "offered": second.offered,
        "sent": second.sent,
        "ok": second.ok,
        "failed": second.failed,
        "in_flight": second.in_flight,
        "p50_ms": _milliseconds(second.p50_us),
        "p99_ms": _milliseconds(second.p99_us),
        "max_ms": _milliseconds(second.max_us),
    }


def _generator(run: BenchRun) -> Document:
    measured = run.measured
    error = measured.schedule_error
    return {
        "schedule_error_p50_us": _or_none(error.percentile_us(50), 3),
        "schedule_error_p99_us": _or_none(error.percentile_us(99), 3),
        "schedule_error_max_us": _rounded(error.max_us) if error.count else None,
        "cpu_s": _rounded(measured.cpu_s),
        "busy_share": _rounded(measured.busy_share, 4),
        "limited": run.health.limited,
        "warnings": list(run.health.warnings),
        "warmup_calls": measured.warmup_calls,
        "connections_lost": measured.connections_lost,
        "stream_limited": measured.stream_limited,
        "stream_limit": measured.stream_limit,
    }


def _settings(settings: BenchSettings) -> Document:
    slo = settings.slo
    return {
        "goal": settings.goal,
        "models": [dataclasses.asdict(model) for model in settings.models],
        "arrivals": settings.arrivals if settings.goal != "closed" else None,
        "profile": settings.profile if settings.goal == "open" else None,
        "rates": list(settings.rates),
        "segments": [list(segment) for segment in settings.segments],
        "concurrency": settings.concurrency if settings.goal != "open" else None,
        "duration_s": settings.duration_s,
        "warmup_s": settings.warmup_s,
        "requests_max": settings.requests_max or None,
        "connections": settings.connections,
        "seed": settings.seed,
        "slo": f"p{slo.percent:g}={slo.limit_ms:g}ms" if slo else None,
        "rows": [dataclasses.asdict(share) for share in settings.rows],
        "messages": settings.messages,
        "check": _check_name(settings),
        "tolerance": settings.tolerance,
        "deadline_ms": settings.deadline_s * 1e3 or None,
        "priority": settings.priority,
        "in_flight_max": settings.in_flight_max,
        "connect_timeout_s": settings.connect_timeout_s,
        "stall_timeout_s": settings.stall_timeout_s,
        "drain_timeout_s": settings.drain_timeout_s,
    }


def _check_name(settings: BenchSettings) -> str:
    if not settings.check:
        return "status"
    return "expected" if settings.expected else "repeat"


def _milliseconds(value_us: float | None) -> float | None:
    return None if value_us is None else _rounded(value_us / 1e3, 6)


def _or_none(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else _rounded(value, digits)


def _rounded(value: float, digits: int = 4) -> float:
    return round(value, digits)
