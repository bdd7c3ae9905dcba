"""The native generator against one server, closed or open loop, and the server's CPU meanwhile.

The same payloads and the same checks for every peer. Blocks the harness's one thread; the generator
has a thread of its own on the core that this process is bound to.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.messages import INFER_PATH
from bench.peers.peer import PeerError, RunningPeer
from bench.server_process import core_busy_s, process_tree

_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What is sent, and what must come back."""

    messages: tuple[bytes, ...]
    expected: tuple[bytes, ...]
    connections: int
    concurrency: int  # of the closed loop, over all connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run; plain numbers for the JSON. Latency is from the time that a call was due."""

    offered_rate: float
    rate: float  # right answers
    cpu_us_per_request: float
    p50_ms: float
    p99_ms: float
    failed: int  # wrong, refused, lost or unanswered
    failures: dict[str, int]  # their texts, up to 16
    schedule_error_p99_us: float
    generator_busy: float
    foreign_share: float  # of either core, the larger: used by others


def closed(calls: Calls, server: RunningPeer, *, duration_s: float) -> Measured:
    """As fast as the server answers: its capacity."""
    return _run(
        calls,
        server,
        mode="closed",
        concurrency=calls.concurrency,
        duration_s=duration_s,
    )


def opened(
    calls: Calls, server: RunningPeer, *, rate: float, duration_s: float, seed: int
) -> Measured:
    """Poisson arrivals at a rate, whatever the server does."""
    return _run(
        calls,
        server,
        mode="open",
        arrivals="poisson",
        segments=[(duration_s, rate, rate)],
        seed=seed,
    )


def cpu_ns(pids: Sequence[int]) -> int:
    """User and system time of all threads of processes, by their CPU clocks."""
    total = 0
    for pid in pids:
        # clock_getcpuclockid(3): the process's clock, of kind SCHED.
        try:
            total += time.clock_gettime_ns((~pid << 3) | 2)
        except OSError as error:
            raise PeerError(f"process {pid} of the server is gone") from error
    return total


def _run(calls: Calls, server: RunningPeer, **shape: Any) -> Measured:
    from penstock._core import LoadOptions, LoadPayload, LoadRun

    payload = LoadPayload(path=INFER_PATH, messages=calls.messages, expected=calls.expected)
    options = LoadOptions(
        payloads=[payload], port=server.port, connections=calls.connections, **shape
    )
    pids = process_tree(server.pid)
    run = LoadRun.create(options)
    cpu_before_ns = cpu_ns(pids)
    (own_core,) = os.sched_getaffinity(0)
    server_s, client_s = core_busy_s(server.core), core_busy_s(own_core) - time.process_time()
    began_s = time.monotonic()
    run.start()
    while not run.wait(_WAIT_S):
        pass
    used_ns = cpu_ns(pids) - cpu_before_ns
    server_s = core_busy_s(server.core) - used_ns / 1e9 - server_s
    client_s = core_busy_s(own_core) - time.process_time() - client_s
    foreign_share = max(0.0, server_s, client_s) / (time.monotonic() - began_s)
    result = run.result()
    counts = result.counts
    if result.end != "finished" or counts.ok == 0:
        raise PeerError(f"the run ended: {result.failure or result.examples}")
    return Measured(
        offered_rate=counts.offered / result.duration_s,
        rate=counts.ok / result.elapsed_s,
        cpu_us_per_request=used_ns / 1000 / counts.ok,
        p50_ms=result.latency.percentile_us(50) / 1000,
        p99_ms=result.latency.percentile_us(99) / 1000,
        failed=counts.offered - counts.ok,
        failures=dict(result.examples),
        schedule_error_p99_us=result.schedule_error.percentile_us(99),
        generator_busy=result.busy_share,
        foreign_share=foreign_share,
    )
