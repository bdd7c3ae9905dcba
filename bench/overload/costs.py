"""What the server adds to a model that takes images: bytes received, work around the runs."""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections.abc import Iterator

from penstock._core import LoadResult

from bench.messages import ROOT
from bench.overload.images import IMAGE, make_corner, make_resnet18
from bench.overload.mixed import Bodies, make_bodies, on_core, run_closed
from bench.overload.setting import Bench, Row, Setting, metric, serving
from bench.peers.generator import cpu_ns
from bench.server_process import RunningServer, pinned, running

_CONNECTIONS = 4
_CALLERS = 8
_IMAGES = 4  # different ones
_PAYLOAD_SHARE_MIN = 0.6
_AROUND_RUNS_MAX = 0.02
_RUN_CPU = "penstock_model_cpu_seconds_total"


def rows(bench: Bench) -> Iterator[Row]:
    """Large tensors, and a network of convolutions."""
    yield large_tensors(bench)
    yield around_runs(bench)


def large_tensors(bench: Bench) -> Row:
    """Bytes a CPU second that arrive at a model that does nothing, against `recv` alone."""
    model = make_corner(bench.out / "corner.onnx")
    bodies = make_bodies(model, name="corner", row=IMAGE, out=bench.out, count=_IMAGES)
    size = len(bodies.requests[0])
    receiver = [sys.executable, "-m", "bench.overload.bare_receiver", str(size)]
    shares = []
    with (
        serving(bench, model) as setting,
        running(
            pinned(receiver, bench.server_core), environment={}, working_directory=ROOT
        ) as bare,
    ):
        for _ in range(bench.rounds):
            floor = _bare_bytes_per_cpu_s(bench, bare, bodies.requests[0])
            result, used_s = _closed_loop(setting, bodies)
            reached = result.counts.ok * size / used_s
            shares.append(reached / floor)
            print(
                f"602 KB: {reached / 1e9:.2f} GB a CPU second ({result.counts.ok} calls, "
                f"{used_s:.2f} s), bare {floor / 1e9:.2f}",
                flush=True,
            )
    share = statistics.median(shares)
    return Row(
        what="602 KB tensors into a Slice: payload per CPU second against a bare `recv` loop",
        target=f">= {_PAYLOAD_SHARE_MIN}x",
        measured=f"{share:.2f}x ({min(shares):.2f} to {max(shares):.2f})",
        passed=share >= _PAYLOAD_SHARE_MIN,
    )


def around_runs(bench: Bench) -> Row:
    """CPU time of the whole process beyond that of the model's runs, under a closed loop."""
    model = make_resnet18(bench.out / "resnet18.onnx")
    bodies = make_bodies(model, name="resnet18", row=IMAGE, out=bench.out, count=_IMAGES)
    shares = []
    with serving(bench, model, http=True) as setting:
        for _ in range(bench.rounds):
            runs_s = metric(setting, _RUN_CPU)
            result, used_s = _closed_loop(setting, bodies)
            runs_s = metric(setting, _RUN_CPU) - runs_s
            shares.append((used_s - runs_s) / runs_s)
            print(
                f"ResNet-18: {result.counts.ok} answers, {used_s:.3f} s CPU, {runs_s:.3f} s in "
                f"runs, {shares[-1]:.2%} around them",
                flush=True,
            )
    share = statistics.median(shares)
    return Row(
        what="ResNet-18: CPU of the process beyond its runs (gathering is in them)",
        target=f"<= {_AROUND_RUNS_MAX:.0%}",
        measured=f"{share:.2%} ({min(shares):.2%} to {max(shares):.2%})",
        passed=share <= _AROUND_RUNS_MAX,
    )


def _closed_loop(setting: Setting, bodies: Bodies) -> tuple[LoadResult, float]:
    """What was answered, and the CPU seconds of the server meanwhile."""
    before_ns = cpu_ns([setting.pid])
    result = run_closed(setting, bodies, connections=_CONNECTIONS, concurrency=_CALLERS)
    return result, (cpu_ns([setting.pid]) - before_ns) / 1e9


def _bare_bytes_per_cpu_s(bench: Bench, bare: RunningServer, message: bytes) -> float:
    before_ns = cpu_ns([bare.process.pid])
    sent = 0
    with (
        on_core(bench.client_core),
        socket.create_connection(("127.0.0.1", bare.port)) as connection,
    ):
        end_s = time.monotonic() + bench.duration_s
        while time.monotonic() < end_s:
            connection.sendall(message)
            sent += len(message)
    return sent / ((cpu_ns([bare.process.pid]) - before_ns) / 1e9)
