"""What must not grow, and what must not happen, however much is asked."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator

from bench.overload.model import make_model
from bench.overload.setting import (
    DEADLINE_MS,
    REST_MIB_MAX,
    Bench,
    Row,
    Setting,
    capacity,
    load,
    rss_mib,
    serving,
)

_STORM = 10  # times the capacity
_STORM_S = 60
_FLAT_S = 30  # at its end
_FLAT_MIB = 4  # a page more here and there is no growth
_SAMPLE_S = 0.5
_AFTER_S = 1  # until the generator has said what it saw


def rows(bench: Bench) -> Iterator[Row]:
    """A minute of ten times what the server can do."""
    model = make_model(bench.out / "slow.onnx")
    with serving(bench, model) as setting:
        yield memory(setting)


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
