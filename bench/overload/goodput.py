"""How much is answered in time, and how quickly it recovers."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench import take_all
from bench.overload.model import BATCH_MAX, bare_durations, make_model
from bench.overload.setting import (
    DEADLINE_MS,
    REST_MIB_MAX,
    Bench,
    Row,
    Setting,
    answered_p99_ms,
    capacity,
    load,
    rss_mib,
    serving,
)
from bench.overload.tax import latency_tax

_GOODPUT_MIN = {2: 0.97, 4: 0.95, 10: 0.90}
_REFUSED_MS_MAX = 5


def rows(bench: Bench) -> Iterator[Row]:
    """Latency at 5 % load, the SLO, 2x to 10x the capacity, and after it."""
    model = make_model(bench.out / "slow.onnx")
    durations = bare_durations(model, bench.server_core)
    line = take_all.fit(durations)
    print(f"bare session: l(b) = {line.t0_s * 1e3:.2f} + {line.row_s * 1e3:.3f} * b ms", flush=True)
    yield latency_tax(bench, model, durations[0][1])
    with serving(bench, model) as setting:
        yield slo_goodput(setting, line)
        for multiple in _GOODPUT_MIN:
            yield overload(setting, multiple)
        yield recovery(setting)


def overload(setting: Setting, multiple: int) -> Row:
    """Goodput at `multiple` times the capacity, every call with a deadline."""
    shares, p99s, refused, rest = [], [], [], rss_mib(setting)
    for _ in range(setting.rounds):
        before = capacity(setting)
        measured = load(
            setting,
            *("--rate", f"{before * multiple:.0f}", "--deadline", f"{DEADLINE_MS}ms"),
            *("--duration", f"{setting.duration_s}s"),
        )
        shares.append(measured["goodput"] / statistics.mean([before, capacity(setting)]))
        p99s.append(answered_p99_ms(measured))
        refused.append(float(measured["shed_latency"]["p99_ms"]))
        print(
            f"{multiple}x: {shares[-1]:.3f} C, p99 {p99s[-1]:.1f} ms, of the refused "
            f"{refused[-1]:.1f} ms, {measured['statuses']}",
            flush=True,
        )
    share, grown = statistics.median(shares), rss_mib(setting) - rest
    p99, refused_p99 = statistics.median(p99s), statistics.median(refused)
    bound = _GOODPUT_MIN[multiple]
    return Row(
        what=f"goodput at {multiple}x the capacity, {DEADLINE_MS} ms deadlines; p99 of what is "
        "answered, of what is refused; memory grown",
        target=f">= {bound} C; <= {DEADLINE_MS} ms, <= {_REFUSED_MS_MAX} ms; <= {REST_MIB_MAX} MiB",
        measured=f"{share:.3f} C ({min(shares):.3f} to {max(shares):.3f}); {p99:.1f} ms, "
        f"{refused_p99:.1f} ms; {grown:.0f} MiB",
        passed=share >= bound
        and p99 <= DEADLINE_MS
        and refused_p99 <= _REFUSED_MS_MAX
        and grown <= REST_MIB_MAX,
    )


def slo_goodput(setting: Setting, line: take_all.Line) -> Row:
    """The highest rate at p99 <= 10 l(1), as a share of what take-all could do."""
    slo_s = 10 * line.seconds(1)
    best = take_all.best_rate(line, slo_s, batch_max=BATCH_MAX)
    found = []
    for _ in range(setting.rounds):
        flags = ["--slo", f"p99={slo_s * 1e3:.1f}ms", "--duration", f"{setting.duration_s}s"]
        rate = load(setting, *flags)["slo"]["search"]["rate"]
        found.append((rate or 0.0) / best)
        print(f"slo p99={slo_s * 1e3:.1f}ms: {rate} of {best:.0f}/s", flush=True)
    share = statistics.median(found)
    return Row(
        what=f"goodput at p99 <= {slo_s * 1e3:.0f} ms against the take-all optimum ({best:.0f}/s)",
        target=">= 0.95",
        measured=f"{share:.3f} ({min(found):.3f} to {max(found):.3f})",
        passed=share >= 0.95,
    )


def recovery(setting: Setting) -> Row:
    """p99 in the seconds after 20 s at ten times the capacity, against before."""
    speed = capacity(setting)
    calm = ["--rate", f"{0.5 * speed:.0f}", "--deadline", f"{DEADLINE_MS}ms"]
    before = answered_p99_ms(load(setting, *calm, "--duration", f"{setting.duration_s}s"))
    storm = ["--rate", f"{10 * speed:.0f}", "--deadline", f"{DEADLINE_MS}ms"]
    load(setting, *storm, "--duration", "20s")
    # Starting the next run takes about a second; its warm-up is another.
    after = answered_p99_ms(load(setting, *calm, "--duration", f"{setting.duration_s}s"))
    return Row(
        what="p99 at half load, 2 s after 20 s at 10x, against before",
        target="<= 1.2x",
        measured=f"{after / before:.2f}x ({before:.1f} ms before)",
        passed=after <= 1.2 * before,
    )
