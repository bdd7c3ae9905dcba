"""What one `penstock bench` was asked to do, checked. PURE but for the files that inputs name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from penstock.bench.errors import BenchError
from penstock.bench.flag_values import ModelChoice, RowShare, SloTarget
from penstock.bench.schedule import Segment, make_segments

__all__ = ["BenchSettings", "Goal", "make_settings"]

# What is done: one run open or closed, or many runs in search of a rate.
Goal = Literal["open", "closed", "search"]

_DURATION_S = 8.0
_SOAK_DURATION_S = 600.0
_CONCURRENCY = 16
_CAPACITY_CONCURRENCY = 64
_DURATION_MAX_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    host: str
    port: int
    models: tuple[ModelChoice, ...]
    goal: Goal
    arrivals: Literal["poisson", "constant"]
    profile: str
    rates: tuple[float, ...]
    segments: tuple[Segment, ...]
    concurrency: int
    duration_s: float
    warmup_s: float
    connections: int
    seed: int
    requests_max: int
    in_flight_max: int
    deadline_s: float  # 0: none
    priority: int | None
    slo: SloTarget | None
    slo_runs_max: int
    inputs: tuple[tuple[str, str], ...]
    expected: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    limits: tuple[tuple[str, tuple[float, float]], ...]
    rows: tuple[RowShare, ...]
    messages: int
    check: bool
    tolerance: float
    metadata: tuple[tuple[str, str], ...]
    connect_timeout_s: float
    stall_timeout_s: float
    drain_timeout_s: float
    json_only: bool
    report: Path | None

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def make_settings(parsed: argparse.Namespace) -> BenchSettings:
    """Raises BenchError for flags that do not go together."""
    goal = _goal(parsed)
    duration_s = parsed.duration
    if duration_s is None:
        duration_s = _SOAK_DURATION_S if parsed.profile == "soak" else _DURATION_S
    if not 0 < duration_s <= _DURATION_MAX_S:
        raise BenchError(f"--duration: above 0 and at most a week, got {duration_s:g} s")
    segments = make_segments(parsed.profile, parsed.rate, duration_s) if goal == "open" else ()
    if parsed.no_check and parsed.expect:
        raise BenchError("--expect and --no-check contradict each other")
    return BenchSettings(
        host=parsed.address[0],
        port=parsed.address[1],
        models=_unique(parsed.model),
        goal=goal,
        arrivals=parsed.arrivals,
        profile=parsed.profile,
        rates=parsed.rate or (),
        segments=segments,
        concurrency=parsed.concurrency
        or (_CAPACITY_CONCURRENCY if goal == "search" else _CONCURRENCY),
        duration_s=duration_s,
        warmup_s=parsed.warmup,
        connections=parsed.connections,
        seed=parsed.seed,
        requests_max=parsed.requests or 0,
        in_flight_max=parsed.in_flight_max,
        deadline_s=parsed.deadline or 0.0,
        priority=parsed.priority,
        slo=parsed.slo,
        slo_runs_max=parsed.slo_runs_max,
        inputs=tuple(parsed.input),
        expected=tuple(parsed.expect),
        shapes=tuple(parsed.shape),
        limits=tuple(parsed.range),
        rows=parsed.rows or (),
        messages=parsed.messages,
        check=not parsed.no_check,
        tolerance=parsed.tolerance,
        metadata=tuple((name.lower(), value) for name, value in parsed.header),
        connect_timeout_s=parsed.connect_timeout,
        stall_timeout_s=parsed.stall_timeout,
        drain_timeout_s=parsed.drain_timeout,
        json_only=parsed.json,
        report=parsed.report,
    )


def _goal(parsed: argparse.Namespace) -> Goal:
    if parsed.rate:
        if parsed.concurrency:
            raise BenchError(
                "--rate (open loop) and --concurrency (closed loop) exclude each other"
            )
        return "open"
    if parsed.profile != "steady":
        raise BenchError(f"--profile {parsed.profile} needs --rate")
    # Callers that wait make no rate that could be promised, so a goal is searched in open loop.
    return "search" if parsed.slo else "closed"


def _unique(models: Sequence[ModelChoice]) -> tuple[ModelChoice, ...]:
    names = [(model.name, model.version) for model in models]
    for name in names:
        if names.count(name) > 1:
            raise BenchError(f"--model {'/'.join(filter(None, name))} is given twice")
    return tuple(models)
