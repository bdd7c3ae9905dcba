"""What must not grow, and what must not happen, however much is asked."""

from __future__ import annotations

import contextlib
import random
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from bench import messages as protocol
from bench.overload.mixed import make_bodies
from bench.overload.model import WIDTH, make_model
from bench.overload.setting import (
    DEADLINE_MS,
    REST_MIB_MAX,
    Bench,
    Row,
    Setting,
    capacity,
    load,
    metric,
    rss_mib,
    serving,
)

_STORM = 10  # times the capacity
_STORM_S = 60
_FLAT_S = 30  # at its end
_FLAT_MIB = 4  # a page more here and there is no growth
_SAMPLE_S = 0.5
_AFTER_S = 1  # until the generator has said what it saw
_OVERLOAD = 4  # times the capacity
_CANCEL_EVERY_S = 0.005
_CANCELLED_MIN = 100  # of those that were queued, or the row would prove nothing


def rows(bench: Bench) -> Iterator[Row]:
    """A minute of ten times what the server can do; who is run although nobody waits for it."""
    model = make_model(bench.out / "slow.onnx")
    with serving(bench, model, http=True) as setting:
        yield run_in_vain(setting, model, bench.out)
        yield memory(setting)


def run_in_vain(setting: Setting, model: Path, out: Path) -> Row:
    """Calls in a batch that were over when it was taken, under overload, deadlines and cancels."""
    body = make_bodies(model, name="slow", row=(WIDTH,), out=out, count=1).requests[0]
    rate = _OVERLOAD * capacity(setting)
    names = ("penstock_model_run_in_vain_total", "penstock_calls_cancelled_total")
    before = [metric(setting, name) for name in names]
    for seed in range(1, setting.rounds + 1):
        with _cancelling(setting.port, body, seed):
            flags = ["--rate", f"{rate:.0f}", "--deadline", f"{DEADLINE_MS}ms"]
            load(setting, *flags, "--duration", f"{setting.duration_s}s")
    vain, cancelled = (metric(setting, name) - b for name, b in zip(names, before, strict=True))
    return Row(
        what=f"calls run although over when their batch was taken, at {_OVERLOAD}x with deadlines "
        "and cancels",
        target=f"0, of at least {_CANCELLED_MIN} cancelled",
        measured=f"{vain:.0f}, of {cancelled:.0f} cancelled",
        passed=vain == 0 and cancelled >= _CANCELLED_MIN,
    )


@contextlib.contextmanager
def _cancelling(port: int, body: bytes, seed: int) -> Iterator[None]:
    """Meanwhile a client of its own cancels each of its calls at some time before the deadline."""
    ended = threading.Event()
    moments = random.Random(seed)

    def cancel_calls() -> None:
        waiting: list[tuple[float, grpc.Future]] = []
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            infer = channel.unary_unary(protocol.INFER_PATH)
            while not ended.wait(_CANCEL_EVERY_S):
                now = time.monotonic()
                deadline_s = DEADLINE_MS / 1e3
                call = infer.future(body, timeout=deadline_s)
                waiting.append((now + moments.uniform(0, deadline_s), call))
                for _, due in (each for each in waiting if each[0] <= now):
                    due.cancel()
                waiting = [each for each in waiting if each[0] > now]

    thread = threading.Thread(target=cancel_calls)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def memory(setting: Setting) -> Row:
    """Resident memory over a storm, with deadlines."""
    rate = _STORM * capacity(setting)
    idle_mib = rss_mib(setting)
    samples: list[float] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_S):
            samples.append(rss_mib(setting))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        flags = ["--rate", f"{rate:.0f}", "--deadline", f"{DEADLINE_MS}ms"]
        measured = load(setting, *flags, "--duration", f"{_STORM_S}s")
    finally:
        ended.set()
        sampler.join()
    grown = max(samples) - idle_mib
    last = samples[-int((_FLAT_S + _AFTER_S) / _SAMPLE_S) : -int(_AFTER_S / _SAMPLE_S)]
    half = len(last) // 2
    rise = statistics.mean(last[half:]) - statistics.mean(last[:half])
    course = [round(each - idle_mib, 1) for each in samples[:: int(5 / _SAMPLE_S)]]
    print(f"memory: idle {idle_mib:.1f} MiB, then every 5 s above it {course} MiB", flush=True)
    print(f"memory: {measured['statuses']}", flush=True)
    return Row(
        what=f"memory at {_STORM}x for {_STORM_S} s: above idle; rise within the last {_FLAT_S} s",
        target=f"<= {REST_MIB_MAX} MiB; flat (<= {_FLAT_MIB} MiB)",
        measured=f"{grown:.1f} MiB; {rise:+.2f} MiB",
        passed=grown <= REST_MIB_MAX and rise <= _FLAT_MIB,
    )
