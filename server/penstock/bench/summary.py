"""What `penstock bench` prints for a person. PURE."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.bench.measurement import Counts, rates_of
from penstock.bench.outcome import STATUS_NAMES, BenchOutcome, BenchRun
from penstock.bench.results import PERCENTILES

__all__ = ["confidence_of", "describe_load", "make_summary", "milliseconds", "run_line"]

_FAILURES = (
    ("wrong", "wrong answers"),
    ("shed", "shed (RESOURCE_EXHAUSTED)"),
    ("deadline_missed", "deadline missed"),
    ("errors", "errors"),
    ("transport_errors", "transport errors"),
    ("unanswered", "unanswered"),
    ("generator_limited", "not sent by the generator"),
)
_EXAMPLES_MAX = 4


def make_summary(outcome: BenchOutcome) -> str:
    return "\n".join(_lines(outcome)) + "\n"


def _lines(outcome: BenchOutcome) -> Iterator[str]:
    shown = outcome.shown
    measured = shown.measured
    rates = rates_of(measured)
    server = f"{outcome.target.server_name} {outcome.target.server_version}".strip()
    yield f"{outcome.settings.address}" + (f" ({server})" if server else "")
    for payload in outcome.target.payloads:
        yield f"  model {payload.model}: {'; '.join(payload.inputs)}"
    yield f"  {describe_load(outcome)}"
    if outcome.end != "finished":
        yield f"  ended early ({outcome.end}) after {measured.elapsed_s:.1f} s"
    yield ""
    yield (
        f"  offered {rates.offered:,.1f}/s   answered {rates.throughput:,.1f}/s   "
        f"good {rates.goodput:,.1f}/s   ({measured.counts.ok:,} of {measured.counts.offered:,} "
        "calls ok)"
    )
    yield from _latency_lines(shown)
    yield from _failure_lines(measured.counts, measured.examples)
    yield from _model_lines(outcome, shown)
    yield from _slo_lines(outcome)
    yield from _generator_lines(shown)


def describe_load(outcome: BenchOutcome) -> str:
    settings, shown = outcome.settings, outcome.shown
    if shown.rate is not None:
        load = f"open loop, {settings.arrivals} arrivals, {shown.rate:,.1f} calls/s"
    elif settings.goal == "open":
        rates = ", ".join(f"{rate:g}" for rate in settings.rates)
        load = f"open loop, {settings.arrivals} arrivals, {settings.profile} {rates} calls/s"
    else:
        load = f"closed loop, {settings.concurrency} callers"
    return f"{load}, {shown.measured.duration_s:.1f} s, {settings.connections} connections"


def _latency_lines(shown: BenchRun) -> Iterator[str]:
    latency = shown.measured.latency
    if not latency.count:
        yield "  latency: no call was ok"
        return
    start = "due" if shown.open_loop else "sent"
    yield f"  latency in ms, from the moment a call was {start}:"
    names = [f"p{percent:g}" for percent in PERCENTILES] + ["max"]
    figures = [latency.percentile_us(percent) for percent in PERCENTILES] + [latency.max_us]
    yield "    " + "".join(f"{name:>10}" for name in names)
    yield "    " + "".join(f"{milliseconds(value):>10}" for value in figures)


def _failure_lines(counts: Counts, examples: tuple[tuple[str, int], ...]) -> Iterator[str]:
    kinds = [(text, getattr(counts, name)) for name, text in _FAILURES]
    if not any(count for _, count in kinds):
        return
    yield "  failed: " + ", ".join(f"{count:,} {text}" for text, count in kinds if count)
    answered = {code: count for code, count in sorted(counts.statuses.items()) if count}
    yield "  statuses: " + ", ".join(
        f"{STATUS_NAMES[code] if code < len(STATUS_NAMES) else code} {count:,}"
        for code, count in answered.items()
    )
    for text, count in examples[:_EXAMPLES_MAX]:
        yield f"    {count:,} x {text}"


def _model_lines(outcome: BenchOutcome, shown: BenchRun) -> Iterator[str]:
    if len(outcome.target.payloads) < 2:
        return
    for payload, measured in zip(outcome.target.payloads, shown.measured.payloads, strict=False):
        latency = measured.latency
        yield (
            f"  {payload.model}: {measured.counts.ok:,} of {measured.counts.offered:,} calls ok, "
            f"p50 {milliseconds(latency.percentile_us(50))} ms, "
            f"p99 {milliseconds(latency.percentile_us(99))} ms"
        )


def _slo_lines(outcome: BenchOutcome) -> Iterator[str]:
    slo = outcome.settings.slo
    if slo is None:
        return
    if outcome.answer is not None:
        yield ""
        yield from (f"  {line}" for line in confidence_of(outcome))
        return
    verdict = outcome.shown.verdict
    if verdict is None:
        return
    word = "met" if verdict.met else "MISSED"
    yield (
        f"  SLO {slo.text}: {word}. {verdict.share_within:.4%} of all calls were answered, "
        f"rightly, within {slo.limit_ms:g} ms"
    )
    if verdict.uncertain:
        yield "  too few calls for this percentile: chance decides. Measure longer"


def confidence_of(outcome: BenchOutcome) -> list[str]:
    """What the search found, and how sure it is."""
    slo, answer = outcome.settings.slo, outcome.answer
    assert slo is not None
    assert answer is not None
    ended = {
        "found": "The gap is narrow.",
        "runs": "The search used up its runs before it was done.",
        "rate_max": "No rate missed it, up to the highest that was tried.",
        "rate_min": "Not even the lowest rate that was tried met it.",
        "stopped": "The search was ended early.",
    }[answer.why]
    lines = [
        f"SLO {slo.text}: met up to {answer.rate:,.1f} calls/s"
        if answer.rate
        else f"SLO {slo.text}: no rate met it"
    ]
    votes = {vote.rate: vote for vote in answer.votes}
    for rate in (answer.rate, answer.missed_rate):
        if rate is not None:
            vote = votes[rate]
            lines.append(f"  at {rate:,.1f}/s: met in {vote.met} of {vote.met + vote.missed} runs")
    sure = "Both sides were confirmed" if answer.confirmed else "Not confirmed"
    runs = sum(vote.met + vote.missed for vote in answer.votes)
    lines.append(f"  {ended} {sure}; {runs} runs of {outcome.settings.duration_s:g} s.")
    missed = votes.get(answer.missed_rate) if answer.missed_rate is not None else None
    if missed is not None and missed.limited:
        lines.append(
            "  The generator itself was at its limit there: the server may be faster than this."
        )
    if any(run.verdict is not None and run.verdict.uncertain for run in outcome.runs[-3:]):
        lines.append("  Few calls lie beyond the percentile: a longer --duration is surer.")
    return lines


def _generator_lines(shown: BenchRun) -> Iterator[str]:
    measured = shown.measured
    error_us = measured.schedule_error.percentile_us(99)
    late = f"p99 schedule error {error_us:.0f} us, " if error_us is not None else ""
    yield f"  generator: {late}busy {measured.busy_share:.0%}, {measured.cpu_s:.1f} s of CPU"
    for warning in shown.health.warnings:
        yield f"  warning: {warning}"


def run_line(run: BenchRun) -> str:
    """One line of a search while it goes on."""
    rates = rates_of(run.measured)
    name = "closed loop" if run.rate is None else f"{run.rate:,.1f}/s"
    p99 = milliseconds(run.measured.latency.percentile_us(99))
    text = f"{name:>14}: good {rates.goodput:,.1f}/s, p99 {p99} ms"
    if run.verdict is None:
        return text
    limited = ", generator at its limit" if run.health.limited else ""
    return (
        f"{text}, {run.verdict.share_within:.3%} within the limit: "
        f"{'met' if run.verdict.met else 'missed'}{limited}"
    )


def milliseconds(value_us: float | None) -> str:
    """Three digits that matter."""
    if value_us is None:
        return "-"
    value = value_us / 1e3
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}" if value < 1 else f"{value:.2f}"
