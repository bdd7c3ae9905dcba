"""Locust's LoadTestShape over our schedules; runs in Locust's master or only process.

-u (peak of users) and -t (duration) override what the schedule itself says, also in the web UI.
"""

from __future__ import annotations

from typing import Any, ClassVar

from locust import LoadTestShape

from loadtests.schedule import Schedule

# Users appear as fast as Locust can start them: the schedule alone says how the load grows, and
# Locust does not look at the next stage before the users of this one are there.
_SPAWN_RATE = 100.0


class ScheduledShape(LoadTestShape):
    """A scenario's file derives from it and names its schedule."""

    abstract = True
    use_common_options = True
    schedule: ClassVar[Schedule]

    def tick(self) -> tuple[int, float] | None:
        """Asked by Locust once a second; None ends the test."""
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        users = self.schedule.users_at(
            self.get_run_time(),
            duration_s=duration_s_of(options, self.schedule),
            users=(options and options.num_users) or self.schedule.users,
        )
        return None if users is None else (users, _SPAWN_RATE)


def duration_s_of(options: Any, schedule: Schedule) -> float:
    """What -t says, or the schedule."""
    return float((options and options.run_time) or schedule.duration_s)
