"""Does throughput grow with connections and io threads? Starts its own servers, one after another.

    python -m loadtests.run scalability --duration-s 3

Walks 1, 2, 4, ... io threads (up to the granted cores) and, at each, 1, 2, 4, ... connections under
the native generator in closed loop, pinned away from the server where there are cores enough. No
Locust: a Locust user would be the limit. Exit code 1 where a rule is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.rules import Finding

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples" / "digits" / "digits.onnx"
_STREAMS_PER_CONNECTION = 16
# A second io thread that has a core to itself must bring this much; one that has none (the
# generator needs a core too) must not cost more than the other.
_GROWTH_MIN = 1.5
_KEPT_MIN = 0.7
# One connection lives on one loop for life, so more connections may only help.
_CONNECTIONS_KEPT_MIN = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement."""

    io_threads: int
    connections: int
    rate: float
    failed: int
    busy_share: float  # of the generator; near 1, it was the limit


def main(argv: Sequence[str] | None = None) -> int:
    """Walks, prints, judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--duration-s", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--connections-max", type=int, default=16)
    parser.add_argument("--io-threads-max", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    points = []
    for io_threads in doubling(arguments.io_threads_max):
        with server(io_threads) as port:
            for connections in doubling(arguments.connections_max):
                points.append(measure(port, io_threads, connections, arguments.duration_s))
                print(line(points[-1]), flush=True)
    findings = judge(points, cores=len(cores))
    for finding in findings:
        print(f"{'pass' if finding.passed else 'FAIL'}  {finding.text}", flush=True)
    return 0 if all(finding.passed for finding in findings) else 1


def doubling(largest: int) -> list[int]:
    """1, 2, 4, ... up to the largest."""
    return [1 << power for power in range(largest.bit_length()) if 1 << power <= largest]


def judge(points: Sequence[Point], *, cores: int) -> list[Finding]:
    """PURE. Nothing failed; more connections and threads help where there are cores for them."""
    failed = sum(point.failed for point in points)
    findings = [Finding(passed=failed == 0, text=f"{failed} calls failed")]
    best: dict[int, float] = {}
    for point in points:
        best[point.io_threads] = max(best.get(point.io_threads, 0), point.rate)
    for threads in best:
        rates = [point.rate for point in points if point.io_threads == threads]
        findings.append(
            Finding(
                passed=rates[-1] >= _CONNECTIONS_KEPT_MIN * rates[0],
                text=(
                    f"{threads} io threads: most connections {rates[-1] / rates[0]:.2f}x of one, "
                    f">= {_CONNECTIONS_KEPT_MIN} wanted"
                ),
            )
        )
    for fewer, more in zip(best, list(best)[1:], strict=False):
        # The generator's core is not the server's.
        bound = _GROWTH_MIN if more < cores else _KEPT_MIN
        growth = best[more] / best[fewer]
        limit = [point for point in points if point.io_threads == more and point.busy_share > 0.95]
        generator_bound = bool(limit) and growth < bound
        note = " (the generator was the limit)" if generator_bound else ""
        findings.append(
            Finding(
                passed=growth >= bound or (generator_bound and growth >= _KEPT_MIN),
                text=f"{fewer} to {more} io threads: {growth:.2f}x, >= {bound} wanted{note}",
            )
        )
    return findings


def measure(port: int, io_threads: int, connections: int, duration_s: float) -> Point:
    """One closed-loop run; every answer is compared with the first to the same request."""
    # Here and not above: the pure part is tested without an installed server.
    from penstock._core import LoadOptions, LoadPayload, LoadRun

    run = LoadRun.create(
        LoadOptions(
            payloads=[LoadPayload(path=INFER_PATH, messages=digit_requests())],
            port=port,
            connections=connections,
            mode="closed",
            concurrency=connections * _STREAMS_PER_CONNECTION,
            duration_s=duration_s,
            warmup_s=min(1.0, duration_s / 4),
        )
    )
    run.start()
    while not run.wait(1.0):
        pass
    result = run.result()
    if result.end != "finished":
        raise SystemExit(f"the generator ended: {result.failure}")
    failed = result.counts.offered - result.counts.ok
    return Point(
        io_threads=io_threads,
        connections=connections,
        rate=result.counts.ok / result.elapsed_s,
        failed=failed,
        busy_share=result.busy_share,
    )


INFER_PATH = "/inference.GRPCInferenceService/ModelInfer"


def digit_requests() -> list[bytes]:
    """The held-out scans, one a request."""
    import json

    import numpy as np
    from penstock_client.wire import encode_request

    samples = json.loads((ROOT / "examples/digits/held_out.json").read_text(encoding="utf-8"))
    images = np.array([sample["image"] for sample in samples], np.float32)
    return [encode_request("digits", {"image": image[None]}) for image in images]


@contextlib.contextmanager
def server(io_threads: int) -> Iterator[int]:
    """Our server with so many loops, on a free port; on all cores but the last if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cores[:-1] or cores))]
    if io_threads >= len(cores):
        pinned = []
    command = [
        *(*pinned, sys.executable, "-m", "penstock", "serve", str(MODEL)),
        *("--grpc-port", "0", "--no-http", "--io-threads", str(io_threads), "--log-level", "error"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        if not ready.startswith("ready grpc="):
            raise SystemExit(f"the server did not start: {ready!r}")
        if pinned:
            os.sched_setaffinity(0, {cores[-1]})
        yield int(ready.rpartition(":")[2])
    finally:
        os.sched_setaffinity(0, cores)
        process.terminate()
        process.wait()
        process.stdout.close()


def line(point: Point) -> str:
    """For people."""
    return (
        f"{point.io_threads} io threads, {point.connections:>3} connections: "
        f"{point.rate:>9,.0f} requests/s, generator busy {point.busy_share:.0%}"
    )


if __name__ == "__main__":
    sys.exit(main())
