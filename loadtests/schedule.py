"""PURE. How many users there are when: a schedule is a list of stages, as shares of a test.

Knows nothing of Locust. Because stages are shares, Locust's own -u and -t scale any schedule: the
same spike takes ten seconds in a test and ten minutes before a rollout.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of the test; the users go linearly from one share of the peak to the other."""

    name: str
    duration_share: float
    users_from: float
    users_to: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Stages whose duration shares sum to 1, and what to use where -u and -t do not say."""

    users: int
    duration_s: float
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        total = sum(stage.duration_share for stage in self.stages)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the stages take {total:g} of the test, not 1")

    def users_at(self, elapsed_s: float, *, duration_s: float, users: int) -> int | None:
        """How many users there should be, at least one; None once the test is over."""
        found = self._stage_at(elapsed_s / duration_s)
        if found is None:
            return None
        stage, done = found
        share = stage.users_from + (stage.users_to - stage.users_from) * done
        return max(1, round(users * share))

    def stage_at(self, elapsed_s: float, *, duration_s: float) -> str:
        """The name of the stage; after the end still the last one, for its late answers."""
        found = self._stage_at(elapsed_s / duration_s)
        return self.stages[-1].name if found is None else found[0].name

    def _stage_at(self, share: float) -> tuple[Stage, float] | None:
        begin = 0.0
        for stage in self.stages:
            end = begin + stage.duration_share
            if share < end:
                return stage, (share - begin) / stage.duration_share
            begin = end
        return None


def hold(name: str, duration_share: float, users: float) -> Stage:
    """A stage of constant load."""
    return Stage(name=name, duration_share=duration_share, users_from=users, users_to=users)


def climb(name: str, duration_share: float, users_from: float, users_to: float) -> Stage:
    """A stage in which the load changes."""
    return Stage(name=name, duration_share=duration_share, users_from=users_from, users_to=users_to)


def constant(*, users: int, duration_s: float) -> Schedule:
    """The same load from the first to the last second."""
    return Schedule(users=users, duration_s=duration_s, stages=(hold("steady", 1, 1),))


STEADY = constant(users=20, duration_s=60)
RAMP = Schedule(
    users=50,
    duration_s=120,
    stages=(climb("climb", 0.7, 0, 1), hold("target", 0.3, 1)),
)
SPIKE = Schedule(
    users=100,
    duration_s=60,
    stages=(hold("before", 0.35, 0.1), hold("spike", 0.3, 1), hold("after", 0.35, 0.1)),
)
# The first tenth is left out of the comparison: caches and pools fill.
SOAK = Schedule(
    users=20,
    duration_s=3600,
    stages=(
        hold("warm", 0.1, 1),
        hold("early", 0.3, 1),
        hold("middle", 0.3, 1),
        hold("late", 0.3, 1),
    ),
)
