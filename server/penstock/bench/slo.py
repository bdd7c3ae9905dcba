"""The search for the highest rate that meets an SLO. PURE: it says what to measure next.

    search = SloSearch(start=capacity * 0.7)
    while (rate := search.next_rate()) is not None:
        search.add(rate, met=..., limited=...)
    search.result()

From the start the rate goes up until a run misses and down until one meets. Then the gap is halved,
in the logarithm, until it is narrow. A single run is chance, so before the end both sides of the
gap are run again until two of at most three runs agree; where they do not say what the first run
said, the search goes on from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["SloAnswer", "SloSearch", "Vote"]

_UP = 1.35
_DOWN = 0.6
_DOWN_MOST = 0.01
_CONFIRMED = 2  # runs that agree, of at most three
_VOTES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """How often a rate was run and met the SLO."""

    rate: float
    met: int = 0
    missed: int = 0
    limited: int = 0  # runs that missed while the generator itself was at its limit

    @property
    def verdict(self) -> bool | None:
        """None: as many runs say yes as no."""
        return None if self.met == self.missed else self.met > self.missed

    @property
    def confirmed(self) -> bool:
        return max(self.met, self.missed) >= _CONFIRMED or self.met + self.missed >= _VOTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class SloAnswer:
    rate: float | None  # the highest that met the SLO; None: none did
    missed_rate: float | None  # the lowest above it that missed; None: none did
    confirmed: bool  # two of at most three runs agree on both of them
    why: str  # why the search ended: one of the words below
    votes: tuple[Vote, ...]  # by rate

    # why: "found" the gap is narrow and both sides confirmed; "runs" the number of runs was used
    # up; "rate_max" even the highest rate allowed met it; "rate_min" even the lowest missed it;
    # "stopped" the user ended it.


@dataclass(slots=True)
class SloSearch:
    """One search; knows no clock and sends nothing."""

    start: float
    precision: float = 0.02  # the width of the gap at the end
    rate_min: float = 1.0
    rate_max: float = 1e8
    runs_max: int = 40
    _votes: dict[float, Vote] = field(default_factory=dict)
    _runs: int = 0

    def add(self, rate: float, *, met: bool, limited: bool = False) -> None:
        old = self._votes.get(rate, Vote(rate=rate))
        self._runs += 1
        self._votes[rate] = Vote(
            rate=rate,
            met=old.met + met,
            missed=old.missed + (not met),
            limited=old.limited + (limited and not met),
        )

    def next_rate(self) -> float | None:
        """None: the search is over."""
        return None if self._runs >= self.runs_max else self._wanted()

    def result(self, *, stopped: bool = False) -> SloAnswer:
        met, missed = self._gap()
        wanted = self._wanted()
        if wanted is not None:
            why = "stopped" if stopped else "runs"
        elif met is None:
            why = "rate_min"
        else:
            why = "found" if missed is not None else "rate_max"
        return SloAnswer(
            rate=None if met is None else met.rate,
            missed_rate=None if missed is None else missed.rate,
            confirmed=all(vote is None or vote.confirmed for vote in (met, missed)),
            why=why,
            votes=tuple(sorted(self._votes.values(), key=lambda vote: vote.rate)),
        )

    def _wanted(self) -> float | None:
        if not self._votes:
            return min(max(self.start, self.rate_min), self.rate_max)
        for vote in self._votes.values():
            if vote.verdict is None:
                return vote.rate
        contradicting = self._contradiction()
        if contradicting is not None:
            return contradicting.rate
        met, missed = self._gap()
        if met is None:
            assert missed is not None
            return self._below(missed)
        if missed is None:
            return self._above(met)
        if missed.rate / met.rate > 1 + self.precision:
            return math.sqrt(met.rate * missed.rate)
        return next((vote.rate for vote in (met, missed) if not vote.confirmed), None)

    def _gap(self) -> tuple[Vote | None, Vote | None]:
        """The lowest rate that missed, and the highest below it that met. Where a higher rate met
        nevertheless, the lower one is believed: a promise should hold."""
        missed = [vote for vote in self._votes.values() if vote.verdict is False]
        low_missed = min(missed, key=lambda vote: vote.rate, default=None)
        met = [
            vote
            for vote in self._votes.values()
            if vote.verdict and (low_missed is None or vote.rate < low_missed.rate)
        ]
        return max(met, key=lambda vote: vote.rate, default=None), low_missed

    def _contradiction(self) -> Vote | None:
        """Of a rate that met above one that missed, whichever is not yet confirmed."""
        _, missed = self._gap()
        if missed is None:
            return None
        above = [vote for vote in self._votes.values() if vote.verdict and vote.rate > missed.rate]
        if not above:
            return None
        return next((vote for vote in (missed, *above) if not vote.confirmed), None)

    def _below(self, missed: Vote) -> float | None:
        if missed.rate <= self.rate_min:
            return None if missed.confirmed else missed.rate
        # Further each time: a goal that nothing meets must not cost a run for every factor.
        factor = max(math.pow(_DOWN, 2.0 ** (len(self._votes) - 1)), _DOWN_MOST)
        return max(missed.rate * factor, self.rate_min)

    def _above(self, met: Vote) -> float | None:
        if met.rate >= self.rate_max:
            return None if met.confirmed else met.rate
        return min(met.rate * _UP, self.rate_max)
