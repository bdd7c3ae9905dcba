"""What a reader must not conclude from a load test: said by the report itself. PURE."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.bench.outcome import BenchOutcome

__all__ = ["what_was_not_measured"]

_LOOPBACK = ("127.", "::1", "localhost")
_SOAK_S = 600.0
# Fewer calls than these make no tail.
_TAIL_CALLS = 10


def what_was_not_measured(outcome: BenchOutcome) -> Iterator[str]:
    settings, shown = outcome.settings, outcome.shown
    if settings.host.startswith(_LOOPBACK):
        yield (
            "The network: generator and server shared one machine, and its processors. With the "
            "generator elsewhere, the server has more of them and every call a longer way."
        )
    else:
        yield "The network apart from the server: latencies contain the way there and back."
    yield from _about_rates(outcome)
    if shown.measured.duration_s < _SOAK_S:
        yield (
            f"Anything slower than {shown.measured.duration_s:.0f} s: leaks, fragmentation, heat, "
            "neighbours at other hours."
        )
    yield "Other traffic on the server at the same time, other models, and loading one meanwhile."
    sizes = {len(payload.messages) for payload in outcome.target.payloads}
    yield (
        f"Other requests than these: {max(sizes)} different ones for each model, made before the "
        "run. Real ones may be larger, rarer or harder on caches."
    )
    yield _about_answers(outcome)
    yield (
        f"Clients: the calls came over {settings.connections} long-lived connections without TLS, "
        "and no client library's own time is in the figures."
    )
    yield "The server's processor, memory and GPU: this side does not see them."
    if settings.warmup_s:
        yield f"The first {settings.warmup_s:g} s of each run: they warmed the server up."
    calls = shown.measured.latency.count
    if calls > _TAIL_CALLS:
        beyond = 100 * (1 - _TAIL_CALLS / calls)
        yield (
            f"Percentiles beyond {beyond:.4g} %: fewer than {_TAIL_CALLS} of {calls:,} calls lie "
            "there."
        )


def _about_rates(outcome: BenchOutcome) -> Iterator[str]:
    rates = [run.rate for run in outcome.runs if run.rate is not None]
    if outcome.settings.goal == "closed":
        yield (
            "How the server answers calls that come whether or not it keeps up: these callers "
            "waited for it, so a stall delays few calls. Use --rate for that."
        )
    elif len(set(rates)) == 1:
        yield f"Any other rate than {rates[0]:,.0f} calls a second."
    elif rates:
        yield f"Rates outside {min(rates):,.0f} to {max(rates):,.0f} calls a second."
    if outcome.settings.goal != "closed" and outcome.settings.arrivals == "constant":
        yield "Bursts: calls came evenly. Real ones come in bunches, as with --arrivals poisson."


def _about_answers(outcome: BenchOutcome) -> str:
    if not outcome.settings.check:
        return "Whether answers are right: only their gRPC status was looked at."
    if outcome.settings.expected:
        return "Outputs that --expect did not name."
    return (
        "Whether answers are right: equal requests had to get equal answers, but nobody said "
        "which. Use --expect for that."
    )
