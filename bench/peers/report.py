"""PURE. The peers' figures as Markdown: medians over interleaved rounds, with their range."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.figures import FOREIGN_MAX
from bench.peers.generator import Measured

_SUBJECT = "penstock"


@dataclass(slots=True, kw_only=True)
class PeerRounds:
    """Everything that was measured of one peer."""

    title: str
    version: str
    settings: tuple[str, ...]
    closed: list[Measured] = field(default_factory=list)
    opened: dict[float, list[Measured]] = field(default_factory=dict)  # by share of the capacity


def capacity(rounds: PeerRounds) -> float:
    """Right answers a second in closed loop: the median."""
    return statistics.median(each.rate for each in rounds.closed)


def failed_calls(peers: Mapping[str, PeerRounds]) -> int:
    """Over all rounds of all peers, closed loops only: in an open loop a peer may lose calls."""
    return sum(each.failed for rounds in peers.values() for each in rounds.closed)


def foreign_share(peers: Mapping[str, PeerRounds]) -> float:
    """What others used of the server's or the generator's core: the median over all rounds."""
    shares = [
        each.foreign_share
        for rounds in peers.values()
        for each in (*rounds.closed, *(run for runs in rounds.opened.values() for run in runs))
    ]
    return statistics.median(shares) if shares else 0.0


def markdown(
    machine_line: str,
    peers: Mapping[str, PeerRounds],
    left_out: Mapping[str, str],
    method: str,
) -> str:
    """The whole report."""
    shares = sorted({share for rounds in peers.values() for share in rounds.opened})
    parts = [machine_line, "", method, "", *_capacity_table(peers), ""]
    if (foreign := foreign_share(peers)) > FOREIGN_MAX:
        parts += [f"NOT QUIET: others used {foreign:.0%} of a core. Run again.", ""]
    if shares:
        parts += [*_latency_table(peers, shares), ""]
    parts += ["Settings:", ""]
    for name, rounds in peers.items():
        parts.append(
            f"- **{name}** ({rounds.title} {rounds.version}): {'; '.join(rounds.settings)}"
        )
    if left_out:
        parts += ["", "Not measured:", ""]
        parts += [f"- **{name}**: {reason}" for name, reason in left_out.items()]
    return "\n".join(parts)


def _capacity_table(peers: Mapping[str, PeerRounds]) -> list[str]:
    lines = [
        (
            "| server | requests/s, closed loop | CPU us/request | p50 ms | p99 ms "
            "| CPU against ours | failed | generator busy |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, rounds in peers.items():
        failed = sum(each.failed for each in rounds.closed)
        busy = statistics.median(each.generator_busy for each in rounds.closed)
        lines.append(
            f"| {name} | {_spread(rounds.closed, lambda each: each.rate, 0)} "
            f"| {_spread(rounds.closed, lambda each: each.cpu_us_per_request, 2)} "
            f"| {_median(rounds.closed, lambda each: each.p50_ms):.2f} "
            f"| {_median(rounds.closed, lambda each: each.p99_ms):.2f} "
            f"| {_against_ours(peers, name)} | {failed} | {busy:.0%} |"
        )
    return lines


def _latency_table(peers: Mapping[str, PeerRounds], shares: Sequence[float]) -> list[str]:
    heads = " | ".join(f"at {share:.0%}: rate | p50 ms | p99 ms" for share in shares)
    lines = [
        (
            "Open loop, Poisson, at shares of each server's own capacity; latency from the time "
            "that a call was due. Calls not answered rightly are in brackets."
        ),
        "",
        f"| server | {heads} |",
        f"| --- |{' --- |' * 3 * len(shares)}",
    ]
    for name, rounds in peers.items():
        cells = []
        for share in shares:
            runs = rounds.opened.get(share)
            if not runs:
                cells.append("- | - | -")
                continue
            failed = sum(each.failed for each in runs)
            note = f" ({failed} failed)" if failed else ""
            cells.append(
                f"{_median(runs, lambda each: each.offered_rate):,.0f}{note} "
                f"| {_median(runs, lambda each: each.p50_ms):.2f} "
                f"| {_median(runs, lambda each: each.p99_ms):.2f}"
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _against_ours(peers: Mapping[str, PeerRounds], name: str) -> str:
    """The ratio of rounds that ran next to each other: its median."""
    ours = peers.get(_SUBJECT)
    if ours is None or name == _SUBJECT:
        return "-"
    pairs = zip(peers[name].closed, ours.closed, strict=True)
    ratio = statistics.median(
        theirs.cpu_us_per_request / our.cpu_us_per_request for theirs, our in pairs
    )
    return f"{ratio:.1f}x"


def _median(runs: Sequence[Measured], value: Callable[[Measured], float]) -> float:
    return statistics.median(value(each) for each in runs)


def _spread(runs: Sequence[Measured], value: Callable[[Measured], Any], digits: int) -> str:
    values = [value(each) for each in runs]
    median, lowest, highest = statistics.median(values), min(values), max(values)
    return f"{median:,.{digits}f} ({lowest:,.{digits}f} to {highest:,.{digits}f})"
