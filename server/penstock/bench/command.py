"""`penstock bench`: prepare, measure, judge, show. THE STORY of one benchmark, in this order.

Runs on the main thread. Standard output gets the result and nothing else, standard error the
progress and errors. The exit codes stand in outcome.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from penstock import _core
from penstock.bench.engine import run_load
from penstock.bench.errors import BenchError
from penstock.bench.health import check_health
from penstock.bench.machine import read_machine
from penstock.bench.measurement import judge_slo, rates_of
from penstock.bench.outcome import (
    BenchOutcome,
    BenchRun,
    Purpose,
    Target,
    exit_code_of,
    failure_of,
)
from penstock.bench.progress import Progress
from penstock.bench.report import make_report
from penstock.bench.results import make_document
from penstock.bench.schedule import Segment
from penstock.bench.settings import BenchSettings, make_settings
from penstock.bench.slo import SloAnswer, SloSearch
from penstock.bench.summary import make_summary, run_line
from penstock.bench.target import INFER_PATH, find_target

__all__ = ["bench"]

_FAILED = 2
_INTERRUPTED = 130
_CAPACITY_S_MAX = 3.0
# Where a search begins: most servers keep a tail short up to about here.
_START_SHARE = 0.7
# Fewer calls in a run say nothing about any percentile.
_CALLS_MIN = 10


def bench(parsed: argparse.Namespace, command: Sequence[str]) -> int:
    """Returns the exit code."""
    try:
        settings = make_settings(parsed)
        outcome = _measure(settings, command)
        _show(outcome)
    except BenchError as error:
        if parsed.debug:
            traceback.print_exc()
        print(f"penstock: error: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("penstock: interrupted before anything was measured", file=sys.stderr)
        return _INTERRUPTED
    return exit_code_of(outcome)


def _measure(settings: BenchSettings, command: Sequence[str]) -> BenchOutcome:
    machine = read_machine()
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    runner = _Runner(settings, find_target(settings))
    answer = None
    if settings.goal == "search":
        answer = _search(settings, runner)
    else:
        runner.run(
            purpose="run",
            rate=settings.rates[0] if len(settings.rates) == 1 else None,
            segments=settings.segments,
            duration_s=settings.duration_s,
        )
    return BenchOutcome(
        settings=settings,
        target=runner.target,
        machine=machine,
        started_at=started_at,
        command=tuple(command),
        runs=tuple(runner.runs),
        answer=answer,
        interrupted=runner.interrupted,
    )


def _search(settings: BenchSettings, runner: _Runner) -> SloAnswer | None:
    """None where there was nothing to begin with: the only run shows why."""
    duration_s = min(settings.duration_s, _CAPACITY_S_MAX)
    first = runner.run(purpose="capacity", rate=None, segments=(), duration_s=duration_s)
    capacity = rates_of(first.measured).goodput
    if not runner.going or capacity <= 0:
        return None
    search = SloSearch(
        start=_START_SHARE * capacity,
        rate_min=_CALLS_MIN / settings.duration_s,
        runs_max=settings.slo_runs_max,
    )
    while runner.going and (rate := search.next_rate()) is not None:
        segment: Segment = (settings.duration_s, rate, rate)
        run = runner.run(
            purpose="search", rate=rate, segments=(segment,), duration_s=settings.duration_s
        )
        if runner.going and run.verdict is not None:
            search.add(rate, met=run.verdict.met, limited=run.health.limited)
    return search.result(stopped=not runner.going)


class _Runner:
    """Runs the engine again and again with one target, and keeps what came out."""

    def __init__(self, settings: BenchSettings, target: Target) -> None:
        self.target = target
        self.runs: list[BenchRun] = []
        self.interrupted = False
        self._settings = settings
        self._deadline_us = round(settings.deadline_s * 1e6)
        self._progress = Progress(sys.stderr)

    @property
    def going(self) -> bool:
        """Whether another run makes sense."""
        return not self.interrupted and self.runs[-1].measured.end == "finished"

    def run(
        self,
        *,
        purpose: Purpose,
        rate: float | None,
        segments: Sequence[Segment],
        duration_s: float,
    ) -> BenchRun:
        settings = self._settings
        options = _core.LoadOptions(
            host=settings.host,
            port=settings.port,
            payloads=self._payloads(),
            connections=settings.connections,
            mode="open" if segments else "closed",
            arrivals=settings.arrivals,
            segments=segments,
            concurrency=settings.concurrency,
            duration_s=duration_s,
            requests_max=settings.requests_max,
            warmup_s=settings.warmup_s,
            # Another run of a search meets other arrivals, or confirming it would be idle.
            seed=settings.seed + len(self.runs),
            in_flight_max=settings.in_flight_max,
            connect_timeout_s=settings.connect_timeout_s,
            stall_timeout_s=settings.stall_timeout_s,
            drain_timeout_s=settings.drain_timeout_s,
        )
        measured, interrupted = run_load(options, self._progress.show)
        self._progress.clear()
        self.interrupted |= interrupted
        slo = settings.slo if segments else None
        made = BenchRun(
            purpose=purpose,
            open_loop=bool(segments),
            rate=rate,
            measured=measured,
            verdict=None if slo is None else judge_slo(measured, slo, self._deadline_us),
            health=check_health(
                measured,
                open_loop=bool(segments),
                in_flight_max=settings.in_flight_max,
                slo=slo,
            ),
        )
        self.runs.append(made)
        if settings.goal == "search":
            print(run_line(made), file=sys.stderr, flush=True)
        return made

    def _payloads(self) -> list[_core.LoadPayload]:
        settings = self._settings
        return [
            _core.LoadPayload(
                path=INFER_PATH,
                messages=payload.messages,
                expected=payload.expected if settings.check else (),
                check="tensors" if settings.check else "status",
                tolerance=settings.tolerance,
                weight=model.weight,
                timeout_us=self._deadline_us,
                metadata=settings.metadata,
            )
            for model, payload in zip(settings.models, self.target.payloads, strict=True)
        ]


def _show(outcome: BenchOutcome) -> None:
    document = make_document(outcome)
    if outcome.settings.json_only:
        print(json.dumps(document, allow_nan=False))
    else:
        print(make_summary(outcome), end="")
    sys.stdout.flush()
    path = outcome.settings.report
    if path is not None:
        try:
            path.write_text(make_report(outcome), encoding="utf-8")
        except OSError as error:
            raise BenchError(f"{path}: {error.strerror or error}") from None
        print(f"report: {path}", file=sys.stderr)
    failure = failure_of(outcome)
    if failure:
        print(f"penstock: error: {failure}", file=sys.stderr)
