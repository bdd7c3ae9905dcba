"""Triton's perf_analyzer against us: does it run, and does it see what our metrics say?

Usage: python -m bench.perf_analyzer [--requests 400]
Fetches perf_analyzer (the last tritonclient wheel that carries it, beside it a CUDA runtime that it
is linked with, and Debian's libb64) into build/perf-analyzer the first time. Runs it against
`penstock serve` with a model of about 5 ms a row at concurrencies from 1 to 64, so many requests
each. It asks ModelStatistics around them and prints the means; ours are the differences of /metrics
around its run. Both come from the same counts, so they have to agree within 2 %, or within the
microsecond that it rounds to. perf_analyzer does not look at answers: a call to each server is
checked here.
Exit code: 0 all agree, 1 one does not, 2 it cannot run here.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from penstock_client import Client

from bench import machine
from bench.messages import ROOT
from bench.overload.__main__ import table
from bench.overload.model import WIDTH, make_model
from bench.overload.setting import Row
from bench.server_process import RunningServer, pinned, running

CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64)
AGREE_WITHIN = 0.02
_FOLDER = ROOT / "build" / "perf-analyzer"
_WHEELS = ("tritonclient==2.50.0", "nvidia-cuda-runtime-cu12==12.9.79")
_DEBIAN_PACKAGE = "libb64-0d"
_TIMEOUT_S = 300
# perf_analyzer's word for each stage of ours.
_STAGES = {
    "queue": "queue",
    "compute input": "decode",
    "compute infer": "run",
    "compute output": "respond",
}
_REPORT = re.compile(
    r"Inference count: (?P<calls>\d+).*?Avg request latency: (?P<total>\d+) usec "
    r"\(overhead \d+ usec \+ (?P<parts>[^)]+)\)",
    re.DOTALL,
)
_PART = re.compile(r"(?P<stage>queue|compute \w+) (?P<us>\d+) usec")
_SAMPLE = re.compile(
    r"^penstock_model_(?:stage|call)_seconds_(?P<what>sum|count)\{[^}]*?"
    r'(?:stage="(?P<stage>\w+)")?\} (?P<value>\S+)$',
    re.MULTILINE,
)


class UnavailableError(RuntimeError):
    """perf_analyzer cannot be had or does not run here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Calls, and the means of their parts in microseconds; "call" is the whole."""

    calls: float
    mean_us: dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Fetches, runs, compares, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=400)
    arguments = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("needs two cores: one for the server, one for perf_analyzer", file=sys.stderr)
        return 2
    try:
        program = fetch()
        rows = measure(program, arguments.requests, cores)
    except UnavailableError as error:
        print(f"perf_analyzer: {error}", file=sys.stderr)
        return 2
    print(f"\n{machine.summary(machine.facts(ROOT))}\n\n{table(rows)}")
    return 0 if all(row.passed for row in rows) else 1


def measure(program: Path, requests: int, cores: list[int]) -> list[Row]:
    """One row for each concurrency, and each a run of perf_analyzer."""
    model = make_model(_FOLDER / "slow.onnx")
    command = [sys.executable, "-m", "penstock", "serve", str(model), "--grpc-port", "0"]
    command += ["--http-port", "0", "--max-batch-size", "64"]
    rows = []
    with running(pinned(command, cores[0]), environment={}, working_directory=ROOT) as server:
        check_answer(server, model)
        for concurrency in CONCURRENCIES:
            before = totals(server)
            theirs = run(program, server, concurrency, max(requests, 20 * concurrency), cores[1])
            row = compare(concurrency, theirs, difference(before, totals(server)))
            print(f"{row.what}: {row.measured}", flush=True)
            rows.append(row)
    return rows


def fetch() -> Path:
    """The program, which is installed where it is not yet."""
    program = _FOLDER / "python" / "bin" / "perf_analyzer"
    stamp = _FOLDER / "fetched"
    wanted = " ".join([*_WHEELS, _DEBIAN_PACKAGE])
    if stamp.exists() and stamp.read_text() == wanted:
        return program
    if platform.machine() != "x86_64":
        raise UnavailableError(f"there is none for {platform.machine()}")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, "--no-deps", "--upgrade", "--target", "python", *_WHEELS])
    _call(["apt-get", "download", "--quiet", _DEBIAN_PACKAGE])
    for package in _FOLDER.glob(f"{_DEBIAN_PACKAGE}_*.deb"):
        _call(["dpkg", "-x", package.name, "system"])
    program.chmod(0o755)
    stamp.write_text(wanted)
    return program


def run(program: Path, server: RunningServer, concurrency: int, requests: int, core: int) -> Seen:
    """One measurement of perf_analyzer, as it prints it."""
    command = [str(program), "-m", "slow", "-i", "grpc", "-u", f"127.0.0.1:{server.port}"]
    command += ["--concurrency-range", f"{concurrency}:{concurrency}", "-b", "1", "--async"]
    command += ["--request-count", str(requests)]
    libraries = [
        *_FOLDER.glob("system/usr/lib/*-linux-gnu"),
        _FOLDER / "python" / "nvidia" / "cuda_runtime" / "lib",
    ]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    done = subprocess.run(
        pinned(command, core),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=_TIMEOUT_S,
    )
    seen = read_report(done.stdout)
    if done.returncode != 0 or seen is None:
        raise UnavailableError(
            f"ended with {done.returncode} at concurrency {concurrency}:\n"
            f"{done.stdout[-1500:]}{done.stderr[-1500:]}"
        )
    return seen


def read_report(text: str) -> Seen | None:
    """What it prints of the server; None where that is not there."""
    found = _REPORT.search(text)
    if found is None:
        return None
    parts = {part["stage"]: float(part["us"]) for part in _PART.finditer(found["parts"])}
    means = {ours: parts[theirs] for theirs, ours in _STAGES.items()}
    return Seen(calls=float(found["calls"]), mean_us={**means, "call": float(found["total"])})


def totals(server: RunningServer) -> dict[tuple[str, str], float]:
    """Seconds and counts of each part since the server's start, from /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics") as answer:
        return read_page(answer.read().decode())


def read_page(page: str) -> dict[tuple[str, str], float]:
    """By part and by sum or count. One model is on the page."""
    return {
        (sample["stage"] or "call", sample["what"]): float(sample["value"])
        for sample in _SAMPLE.finditer(page)
    }


def difference(before: dict[tuple[str, str], float], after: dict[tuple[str, str], float]) -> Seen:
    """What was counted in between."""
    calls = after["call", "count"] - before["call", "count"]
    means = {
        part: 1e6 * (after[part, "sum"] - before[part, "sum"]) / calls
        for part, what in after
        if what == "sum"
    }
    return Seen(calls=calls, mean_us=means)


def compare(concurrency: int, theirs: Seen, ours: Seen) -> Row:
    """Every part, and the number of calls, of which it makes some beyond those it reports."""
    # It rounds to microseconds: each part once, and so the sum as often as there are parts.
    rounding_us = {**dict.fromkeys(_STAGES.values(), 1), "call": len(_STAGES)}
    apart_us = {part: abs(mean - ours.mean_us[part]) for part, mean in theirs.mean_us.items()}
    agree = all(
        us <= max(AGREE_WITHIN * ours.mean_us[part], rounding_us[part])
        for part, us in apart_us.items()
    )
    worst = max(apart_us, key=lambda part: apart_us[part] / max(ours.mean_us[part], 1))
    return Row(
        what=f"perf_analyzer at {concurrency}: server-side means against /metrics",
        target=f"within {AGREE_WITHIN:.0%}",
        measured=f"{theirs.mean_us['call']:,.0f} and {ours.mean_us['call']:,.1f} us a call; "
        f"furthest apart: {worst}, {theirs.mean_us[worst]:,.0f} and {ours.mean_us[worst]:,.1f} us; "
        f"{theirs.calls:,.0f} of {ours.calls:,.0f} calls",
        passed=agree and theirs.calls <= ours.calls,
    )


def check_answer(server: RunningServer, model: Path) -> None:
    """Raises unless the server answers what ONNX Runtime does."""
    x = np.random.default_rng(0).standard_normal((1, WIDTH)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    with Client(f"127.0.0.1:{server.port}") as client:
        answer = client.infer("slow", {"x": x})["y"]
    np.testing.assert_allclose(answer, session.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


def _call(command: list[str]) -> None:
    done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr[-500:]}")


if __name__ == "__main__":
    sys.exit(main())
