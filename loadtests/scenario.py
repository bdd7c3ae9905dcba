"""A scenario ties a schedule to rules: it names the stage of each request and gives the verdict.

Runs in every Locust process; the verdict is the master's (or the only process's) alone. The exit
code is decided here and nowhere else: 0 only if every rule held and no user's code failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from locust.runners import MasterRunner, WorkerRunner

from loadtests.rules import Finding, Rule
from loadtests.schedule import Schedule
from loadtests.shapes import duration_s_of

# For workers to stop their users and report; loadtests/run.py waits longer for Locust's end.
_REPORTS_WAIT_S = 30.0
_REPORTS_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the command line says that a server must keep."""

    p99_ms: float
    rate: float
    duration_s: float
    models: tuple[str, ...] = ()  # where the scenario has such an option


class Scenario:
    """Made once in a scenario's file, which then calls attach(locust.events)."""

    def __init__(
        self,
        *,
        schedule: Schedule,
        rules: Callable[[Limits], Sequence[Rule]],
        p99_ms: float = 100.0,
        rate: float = 10.0,
        tag_stages: bool = False,
    ) -> None:
        """`p99_ms` and `rate` are defaults; `tag_stages` puts the stage into request names."""
        self.schedule = schedule
        self._rules = rules
        self._p99_ms = p99_ms
        self._rate = rate
        self._tag_stages = tag_stages
        self._started_s = time.monotonic()

    def attach(self, events: Any) -> None:
        """Adds the scenario's options and listens to Locust."""
        events.init_command_line_parser.add_listener(self._add_options)
        events.test_start.add_listener(self._start)
        events.test_stop.add_listener(wait_for_reports)
        events.test_stop.add_listener(self._show_in_web_ui)
        events.quitting.add_listener(self._judge)

    def name(self, what: str, environment: Any) -> str:
        """What a request that leaves now is called in the statistics."""
        if not self._tag_stages:
            return what
        elapsed_s = time.monotonic() - self._started_s
        duration_s = environment.parsed_options.stages_s or self._duration_s(environment)
        return f"{what} [{self.schedule.stage_at(elapsed_s, duration_s=duration_s)}]"

    def findings(self, environment: Any) -> list[Finding]:
        """Every rule, and that no user's code has raised."""
        options = environment.parsed_options
        limits = Limits(
            p99_ms=options.p99_ms,
            rate=options.rate,
            duration_s=self._duration_s(environment),
            models=tuple(filter(None, getattr(options, "models", "").split(","))),
        )
        exceptions = sum(each["count"] for each in environment.runner.exceptions.values())
        bugs = Finding(passed=exceptions == 0, text=f"{exceptions} exceptions in users' code")
        return [*(rule(environment.stats) for rule in self._rules(limits)), bugs]

    def _duration_s(self, environment: Any) -> float:
        return duration_s_of(environment.parsed_options, self.schedule)

    def _add_options(self, parser: Any, **_arguments: Any) -> None:
        parser.add_argument(
            "--p99-ms", type=float, default=self._p99_ms, help="slowest p99 that passes, in ms"
        )
        parser.add_argument(
            "--rate", type=float, default=self._rate, help="fewest requests a second that pass"
        )
        # Not for people: carries the duration to workers, which get no -t from their master.
        parser.add_argument("--stages-s", type=float, default=0.0, include_in_web_ui=False)

    def _start(self, environment: Any, **_arguments: Any) -> None:
        self._started_s = time.monotonic()
        if not isinstance(environment.runner, WorkerRunner):
            environment.parsed_options.stages_s = self._duration_s(environment)

    def _show_in_web_ui(self, environment: Any, **_arguments: Any) -> None:
        if environment.web_ui is not None:
            self._show(self.findings(environment))

    def _judge(self, environment: Any, **_arguments: Any) -> None:
        if isinstance(environment.runner, WorkerRunner):
            return
        findings = self.findings(environment)
        self._show(findings)
        environment.process_exit_code = 0 if all(each.passed for each in findings) else 1

    @staticmethod
    def _show(findings: Sequence[Finding]) -> None:
        for finding in findings:
            print(f"{'pass' if finding.passed else 'FAIL'}  {finding.text}", flush=True)


def wait_for_reports(environment: Any, **_arguments: Any) -> None:
    """Ends the workers of a run that ends with its test, and waits until each has reported: by
    itself Locust's master gives them half a second, and goes without the counts of slower ones."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner) or environment.web_ui is not None:
        return
    for worker in runner.clients.all:
        runner.send_message("quit", client_id=worker.id)
    deadline_s = time.monotonic() + _REPORTS_WAIT_S
    # A worker's last word comes behind its last report.
    while runner.worker_count > 0 and time.monotonic() < deadline_s:
        gevent.sleep(_REPORTS_POLL_S)
