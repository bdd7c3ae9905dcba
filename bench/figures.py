"""PURE. What is computed from measured rounds: medians, spreads, ratios, verdicts, the table.

Knows no process and no file. A round is what the replay client printed for one contender; rounds
of one scenario are interleaved, so the n-th rounds of two contenders ran next to each other and
their ratio is taken in pairs.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Round = Mapping[str, Any]
Rounds = Mapping[str, Sequence[Round]]  # by contender, in order of time


FOREIGN_MAX = 0.05  # of the server's core; above it, figures depend on what else was running


class BadRoundError(ValueError):
    """A round that must not be counted: wrong answers, errors or nothing measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One quantity over the rounds of one contender, or a ratio over pairs of rounds."""

    median: float
    lowest: float
    highest: float

    def text(self, digits: int = 2) -> str:
        """The median with its range, as the table shows it."""
        return f"{self.median:.{digits}f} ({self.lowest:.{digits}f} to {self.highest:.{digits}f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of the issue's table. With `against` the figure is a ratio, else absolute.

    `faster` ratios say how many times less the subject needs (against / subject, at least
    `bound`); the others are subject / against, at most `bound`.
    """

    what: str
    scenario: str
    quantity: str  # "cpu_us" or "p50_us"
    subject: str
    against: str | None
    bound: float
    faster: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a target. `figure` is None when a contender was not there."""

    target: Target
    figure: Summary | None

    @property
    def passed(self) -> bool:
        """True only for a measured figure on the right side of the bound."""
        if self.figure is None:
            return False
        if self.target.faster:
            return self.figure.median >= self.target.bound
        return self.figure.median <= self.target.bound


def check_round(measured: Round) -> None:
    """Raises BadRoundError unless every reply of the round was right."""
    if measured["errors_ever"] or measured["connections_lost"]:
        reason = measured["first_error"] or measured["first_loss"]
        raise BadRoundError(f"{measured['errors_ever']} wrong replies, the first: {reason}")
    if measured["requests"] == 0:
        raise BadRoundError("no request was answered in the window")


def quantity(measured: Round, name: str) -> float:
    """One figure of a round by the name that targets use."""
    if name == "cpu_us":
        return float(measured["server_cpu_us_per_request"])
    if name == "p50_us":
        return float(measured["latency_us"]["p50"])
    raise KeyError(name)


def summarize(values: Sequence[float]) -> Summary:
    """Median and range."""
    return Summary(median=statistics.median(values), lowest=min(values), highest=max(values))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Summary:
    """Median and range of the ratios of rounds that ran next to each other."""
    pairs = zip(numerators, denominators, strict=True)
    return summarize([numerator / denominator for numerator, denominator in pairs])


def judge(target: Target, scenarios: Mapping[str, Rounds]) -> Verdict:
    """Computes a target's figure from the rounds of its scenario."""
    rounds = scenarios.get(target.scenario, {})
    names = [target.subject] if target.against is None else [target.subject, target.against]
    if any(not rounds.get(name) for name in names):
        return Verdict(target=target, figure=None)
    values = [[quantity(each, target.quantity) for each in rounds[name]] for name in names]
    if target.against is None:
        return Verdict(target=target, figure=summarize(values[0]))
    subject, against = values
    figure = ratio(against, subject) if target.faster else ratio(subject, against)
    return Verdict(target=target, figure=figure)


def foreign_share(scenarios: Mapping[str, Rounds]) -> float:
    """The median over all rounds of what others used of the server's core.

    Not the largest: the clock ticks that it is counted in are coarse, and one tick in a short
    round says nothing.
    """
    shares = [
        each.get("foreign_share", 0.0)
        for rounds in scenarios.values()
        for measured in rounds.values()
        for each in measured
    ]
    return statistics.median(shares) if shares else 0.0


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Markdown: each target, what was measured, pass or miss."""
    lines = ["| measure | target | measured, median (range) | |", "| --- | --- | --- | --- |"]
    for verdict in verdicts:
        target = verdict.target
        unit = " us" if target.against is None else "x"
        bound = f"{'>=' if target.faster else '<='} {target.bound:g}{unit}"
        if verdict.figure is None:
            lines.append(f"| {target.what} | {bound} | not measured | miss |")
            continue
        result = "pass" if verdict.passed else "MISS"
        lines.append(f"| {target.what} | {bound} | {verdict.figure.text()}{unit} | {result} |")
    return "\n".join(lines)


def scenario_table(title: str, rounds: Rounds) -> str:
    """Markdown: what every contender of one scenario reached."""
    lines = [
        f"**{title}**",
        "",
        (
            "| contender | requests/s | server CPU us/request | round trip us, p50 | p99 "
            "| server busy | client busy | foreign |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, measured in rounds.items():
        if not measured:
            lines.append(f"| {name} | not there | | | | | | |")
            continue
        rate = statistics.median(each["requests_per_s"] for each in measured)
        cpu = summarize([quantity(each, "cpu_us") for each in measured])
        p50 = summarize([quantity(each, "p50_us") for each in measured])
        p99 = statistics.median(each["latency_us"]["p99"] for each in measured)
        server = statistics.median(each["server_cpu_s"] / each["duration_s"] for each in measured)
        client = statistics.median(each["client_cpu_s"] / each["duration_s"] for each in measured)
        foreign = max(each.get("foreign_share", 0.0) for each in measured)
        lines.append(
            f"| {name} | {rate:,.0f} | {cpu.text()} | {p50.text(1)} | {p99:.0f} "
            f"| {server:.0%} | {client:.0%} | {foreign:.0%} |"
        )
    return "\n".join(lines)
