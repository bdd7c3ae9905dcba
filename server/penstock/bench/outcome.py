"""What one `penstock bench` did, whole: every run, the verdict, the exit code. PURE."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from penstock.bench.health import GeneratorHealth
from penstock.bench.machine import Machine
from penstock.bench.measurement import Measurement, SloVerdict
from penstock.bench.payloads import Payload
from penstock.bench.settings import BenchSettings
from penstock.bench.slo import SloAnswer

__all__ = [
    "STATUS_NAMES",
    "BenchOutcome",
    "BenchRun",
    "Purpose",
    "Target",
    "exit_code_of",
    "failure_of",
]

STATUS_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

# A single run; or, of a search, the closed-loop run before it, and one of its probes.
Purpose = Literal["run", "capacity", "search"]

# Beyond this, what was measured is another load than the one asked for.
_NOT_SENT_SHARE_MAX = 0.01

_DONE = 0
_SLO_MISSED = 1
_NOT_MEASURED = 2
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What answers: as it says itself, where it does."""

    server_name: str
    server_version: str
    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRun:
    purpose: Purpose
    open_loop: bool
    rate: float | None  # None: closed loop, or a profile with several rates
    measured: Measurement
    verdict: SloVerdict | None
    health: GeneratorHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOutcome:
    settings: BenchSettings
    target: Target
    machine: Machine
    started_at: str
    command: tuple[str, ...]
    runs: tuple[BenchRun, ...]
    answer: SloAnswer | None
    interrupted: bool

    @property
    def shown(self) -> BenchRun:
        """The run whose figures stand at the top: of a search, the last one at the rate found, or
        else the last one."""
        if self.answer is not None and self.answer.rate is not None:
            at_rate = [run for run in self.runs if run.rate == self.answer.rate]
            met = [run for run in at_rate if run.verdict is not None and run.verdict.met]
            return (met or at_rate)[-1]
        return self.runs[-1]

    @property
    def end(self) -> str:
        """How the last run ended; "interrupted" by Ctrl-C."""
        return "interrupted" if self.interrupted else self.runs[-1].measured.end


def exit_code_of(outcome: BenchOutcome) -> int:
    if outcome.interrupted:
        return _INTERRUPTED
    if failure_of(outcome):
        return _NOT_MEASURED
    if outcome.answer is not None:
        return _DONE if outcome.answer.rate is not None else _SLO_MISSED
    verdict = outcome.runs[-1].verdict
    return _DONE if verdict is None or verdict.met else _SLO_MISSED


def failure_of(outcome: BenchOutcome) -> str:
    """One line where not everything could be measured; else empty."""
    last = outcome.runs[-1]
    measured = last.measured
    if measured.end not in ("finished", "stopped"):
        return measured.failure or f"the run ended early: {measured.end}"
    if last.purpose == "run" and last.health.overrun:
        return last.health.overrun
    if last.purpose == "run" and last.verdict is None:
        not_sent = measured.counts.generator_limited
        if not_sent > _NOT_SENT_SHARE_MAX * measured.counts.offered:
            return (
                f"the rate could not be offered: {not_sent:,} of {measured.counts.offered:,} calls "
                f"were not sent, since {outcome.settings.in_flight_max:,} were unanswered already. "
                "Lower --rate, or raise --in-flight-max"
            )
    # An SLO that is missed by every call is a result; otherwise figures of nothing are none.
    if measured.counts.ok == 0 and (last.verdict is None or last.purpose == "capacity"):
        return f"not one of {measured.counts.offered} calls succeeded: {_causes(measured)}"
    return ""


def _causes(measured: Measurement) -> str:
    counts = measured.counts
    kinds = Counter(
        {
            "wrong answers": counts.wrong,
            "deadlines missed": counts.deadline_missed,
            "unanswered": counts.unanswered,
            "shed": counts.shed,
            "errors": counts.errors,
            "transport errors": counts.transport_errors,
        }
    )
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common() if count)
    text = max(measured.examples, key=lambda example: example[1], default=("", 0))[0]
    return f"{named or 'none was sent'}{'; ' + text if text else ''}"
