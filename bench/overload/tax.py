"""What a lone call pays on top of its run, where calls are seldom; and what that is made of."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.messages import ROOT
from bench.overload.bare_echo import median_trip_s
from bench.overload.model import WIDTH, bare_duration_after
from bench.overload.setting import Bench, Row, Setting, load, metrics, serving
from bench.server_process import pinned, running

_LOAD = 0.05  # of the time
_TAX_US_MAX = 100
_TRIPS = 31
_MESSAGE_BYTES = 4 * WIDTH + 100
_STAGES = ("decode", "queue", "run", "respond")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Microseconds of one round."""

    tax: float
    run: float  # of the server, above the bare one
    stages: float  # of the server, beside the run
    echo: float  # there and back without any server


def latency_tax(bench: Bench, model: Path, l1_s: float) -> Row:
    """The median latency of a server that runs 5 % of the time, against bare runs as far apart.

    5 % of the capacity would be half of the time here, since a full batch costs a row a tenth of
    what a lone one costs: half of the calls would meet a run under way, whoever serves them.
    """
    pause_s = l1_s / _LOAD
    command = [sys.executable, "-m", "bench.overload.bare_echo", str(_MESSAGE_BYTES)]
    echo = pinned(command, bench.server_core)
    rounds = []
    with (
        serving(bench, model, http=True) as setting,
        running(echo, environment={}, working_directory=ROOT) as bare_echo,
    ):
        for _ in range(setting.rounds):
            rounds.append(_round(bench, setting, model, pause_s, bare_echo.port))
            print(f"5 % load: {rounds[-1]}", flush=True)
    taxes = [each.tax for each in rounds]
    tax = statistics.median(taxes)
    return Row(
        what="median latency of a server that runs 5 % of the time, above a bare run",
        target=f"<= {_TAX_US_MAX} us",
        measured=f"{tax:.0f} us ({min(taxes):.0f} to {max(taxes):.0f}); means: the run "
        f"{statistics.median(each.run for each in rounds):+.0f} us, decode, queue and respond "
        f"{statistics.median(each.stages for each in rounds):.0f} us; a bare echo of as many bytes "
        f"{statistics.median(each.echo for each in rounds):.0f} us",
        passed=tax <= _TAX_US_MAX,
    )


def _round(bench: Bench, setting: Setting, model: Path, pause_s: float, echo_port: int) -> _Parts:
    bare_s = bare_duration_after(pause_s, model, bench.server_core, runs=_TRIPS)
    echo_s = median_trip_s(
        echo_port, size=_MESSAGE_BYTES, pause_s=pause_s, trips=_TRIPS, core=bench.client_core
    )
    p50_s, stages = _seldom(setting, pause_s)
    print({stage: f"{value * 1e6:.0f} us" for stage, value in stages.items()}, flush=True)
    run_s = stages.pop("run")
    return _Parts(
        tax=(p50_s - bare_s) * 1e6,
        run=(run_s - bare_s) * 1e6,
        stages=sum(stages.values()) * 1e6,
        echo=echo_s * 1e6,
    )


def _seldom(setting: Setting, pause_s: float) -> tuple[float, dict[str, float]]:
    """The median latency of calls that far apart, and the mean of each stage, in seconds."""
    before = metrics(setting)
    flags = ["--rate", f"{1 / pause_s:.1f}", "--duration", f"{4 * setting.duration_s}s"]
    p50_s = float(load(setting, *flags)["p50_ms"]) / 1e3
    after = metrics(setting)

    def grown(stage: str, part: str) -> float:
        sample = f'penstock_model_stage_seconds_{part}{{model="slow",version="1",stage="{stage}"}}'
        return after[sample] - before.get(sample, 0.0)

    return p50_s, {stage: grown(stage, "sum") / grown(stage, "count") for stage in _STAGES}
