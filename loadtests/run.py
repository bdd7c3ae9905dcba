"""One command for each scenario: `python -m loadtests.run steady --host 127.0.0.1:8001`.

Further flags are Locust's own (-u peak users, -t duration, --processes, --html, --csv) and the
scenario's (--p99-ms, --rate). --web opens Locust's web UI in place of running at once.
Exit code: 0 every rule held, 1 one did not, 2 wrong usage, 124 Locust did not end.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtests import schedule

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "loadtests" / "scenarios"
# Those that are no locustfile: they start servers of their own.
PROGRAMS = ("scalability",)
_DURATIONS = {"ramp": schedule.RAMP, "spike": schedule.SPIKE, "soak": schedule.SOAK}
# Beyond the test's own time, for starting, stopping and slow last answers.
_GRACE_S = 60.0
_KILL_AFTER_S = 10
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the scenario and returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Other flags go to Locust."
    )
    parser.add_argument("scenario", choices=scenario_names())
    parser.add_argument("--web", action="store_true", help="with Locust's web UI, until Ctrl-C")
    parser.add_argument("-t", "--run-time", metavar="TIME", help="30, 30s, 20m, 1h30m")
    arguments, others = parser.parse_known_args(argv)
    name = arguments.scenario
    if name in PROGRAMS:
        command = [sys.executable, "-m", f"loadtests.scenarios.{name}", *others]
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    try:
        duration_s = duration_s_of(name, arguments.run_time)
    except ValueError as error:
        parser.error(str(error))
    command = locust_command(name, duration_s, web=arguments.web, others=others)
    if not arguments.web:
        command = [*limiter(duration_s), *command]
    environment = dict(os.environ)
    # gRPC's C core logs every refused connection; Locust's own table has them, counted.
    environment.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except KeyboardInterrupt:  # Locust got it too and has given its verdict
        return 130


def scenario_names() -> list[str]:
    """Every file in scenarios/."""
    return sorted(path.stem for path in SCENARIOS.glob("[a-z]*.py"))


def locust_command(name: str, duration_s: float, *, web: bool, others: Sequence[str]) -> list[str]:
    """Locust on the scenario's file."""
    command = [sys.executable, "-m", "locust", "-f", str(SCENARIOS / f"{name}.py")]
    command += ["--run-time", f"{max(1, round(duration_s))}s"]
    if not web:
        command += ["--headless", "--only-summary"]
    return [*command, *others]


def limiter(duration_s: float) -> list[str]:
    """A Locust that hangs at its end must not hang what called it."""
    if shutil.which("timeout") is None:
        return []
    return ["timeout", "-k", str(_KILL_AFTER_S), str(duration_s + _GRACE_S)]


def duration_s_of(name: str, text: str | None) -> float:
    """What -t says, as Locust reads it, or the scenario's own duration."""
    if text is None:
        return _DURATIONS.get(name, schedule.STEADY).duration_s
    if text.isdigit():
        return float(text)
    if not re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?", text) or not text:
        raise ValueError(f"-t {text}: expected for example 30, 30s, 20m or 1h30m")
    return sum(float(count) * _UNITS_S[unit] for count, unit in re.findall(r"(\d+)([hms])", text))


if __name__ == "__main__":
    sys.exit(main())
