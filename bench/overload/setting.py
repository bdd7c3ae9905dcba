"""The server under load, one measurement of it, and a row of the table."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.messages import ROOT
from bench.overload.model import BATCH_MAX
from bench.server_process import pinned, running

DEADLINE_MS = 100
REST_MIB_MAX = 256

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    target: str
    measured: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where everything is measured, and for how long each time."""

    server_core: int
    client_core: int
    duration_s: float
    rounds: int
    out: Path  # a folder of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The server under load and how long each measurement is."""

    port: int
    pid: int
    core: int  # of the generator
    duration_s: float
    rounds: int
    http_port: int = 0  # where it has one


@contextlib.contextmanager
def serving(bench: Bench, model: Path, *flags: str, http: bool = False) -> Iterator[Setting]:
    """`penstock serve` with a model, or a repository, on the server's core."""
    command = [sys.executable, "-m", "penstock", "serve", str(model), "--grpc-port", "0"]
    command += ["--http-port", "0"] if http else ["--no-http"]
    command += ["--max-batch-size", str(BATCH_MAX), *flags]
    pinned_command = pinned(command, bench.server_core)
    with running(pinned_command, environment={}, working_directory=ROOT) as server:
        yield Setting(
            port=server.port,
            pid=server.process.pid,
            http_port=server.http_port,
            core=bench.client_core,
            duration_s=bench.duration_s,
            rounds=bench.rounds,
        )


def load(setting: Setting, *flags: str, model: str = "slow") -> Figures:
    """One `penstock bench`; its JSON. Raises where answers were wrong or nothing was measured."""
    command = [sys.executable, "-m", "penstock", "bench", f"127.0.0.1:{setting.port}"]
    command += ["--model", model, "--warmup", "1s", "--json", *flags]
    done = subprocess.run(
        pinned(command, setting.core), stdout=subprocess.PIPE, text=True, check=False, timeout=900
    )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"penstock bench ended with {done.returncode}")
    figures: Figures = json.loads(done.stdout)
    if figures["wrong"]:
        raise RuntimeError(f"{figures['wrong']} wrong answers")
    return figures


def capacity(setting: Setting, model: str = "slow") -> float:
    """Answers a second of a closed loop that keeps batches full."""
    flags = ["--concurrency", str(2 * BATCH_MAX), "--duration", f"{setting.duration_s}s"]
    return float(load(setting, *flags, model=model)["goodput"])


def answered_p99_ms(measured: Figures) -> float:
    """Of the calls that got an answer in time: the buckets below the deadline, without the rest."""
    buckets = [(ms, n) for ms, n in measured["latency"]["buckets"] if ms <= 1.2 * DEADLINE_MS]
    wanted, seen = 0.99 * measured["ok"], 0
    for ms, count in buckets:
        seen += count
        if seen >= wanted:
            return float(ms)
    return float(measured["latency"]["max_ms"])


def metrics(setting: Setting) -> dict[str, float]:
    """Every sample, by its name with its labels."""
    url = f"http://127.0.0.1:{setting.http_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def metric(setting: Setting, name: str) -> float:
    """The sum of a metric's samples."""
    samples = metrics(setting).items()
    values = [value for sample, value in samples if sample.partition("{")[0] == name]
    if not values:
        raise RuntimeError(f"/metrics has no {name}")
    return sum(values)


def rss_mib(setting: Setting) -> float:
    """Resident memory of the server."""
    pages = int(Path(f"/proc/{setting.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
