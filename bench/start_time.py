"""Process start to the ready line, without what the model itself costs.

Usage: python -m bench.start_time [--model FILE.onnx] [--rounds 7] [--host PROGRAM]
Starts `penstock serve` again and again. From start to ready, the durations that the server logs
for its models are taken off: `session_ms` (creating the ONNX Runtime session) and `warmup_ms`.
What remains has to be at most 0.5 s (median). Without those log fields there is no verdict.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Paths, all_contenders
from bench.figures import summarize
from bench.messages import ROOT
from bench.server_process import running

BOUND_S = 0.5
_DEMO_MODEL = ROOT / "examples" / "digits" / "digits.onnx"

# Both log formats: `session_ms=1.5`, `"session_ms":"1.5"`, `"session_ms": 1.5`.
_FIELD = re.compile(r"\b(session_ms|warmup_ms)\"?\s*[=:]\s*\"?([0-9.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of the server."""

    ready_s: float
    model_s: float  # session creation and warm-up, as logged

    @property
    def own_s(self) -> float:
        """What the server itself needed."""
        return self.ready_s - self.model_s


class NoDurationsError(RuntimeError):
    """The server's log does not say how long its models took."""


def model_seconds(log: str) -> float:
    """Session creation and warm-up of all models, from the server's log."""
    found = _FIELD.findall(log)
    if {name for name, _ in found} != {"session_ms", "warmup_ms"}:
        raise NoDurationsError("the server's log has no session_ms and warmup_ms")
    return sum(float(value) for _, value in found) / 1e3


def measure(model: Path, host: Path | None) -> Start:
    """Starts and stops the server once."""
    paths = Paths(programs=ROOT, descriptors=ROOT, model=model, host=host)
    contender = all_contenders(paths)["penstock"]
    if (missing := contender.missing()) is not None:
        raise NoDurationsError(f"our server is not there: {missing}")
    command = (*contender.command, "--log-format", "json")
    with running(command, environment=contender.environment, working_directory=ROOT) as server:
        log = server.log.read_text()
    ready_s = (server.ready_ns - server.started_ns) / 1e9
    return Start(ready_s=ready_s, model_s=model_seconds(log))


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the median and range; exit code 1 past the bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=_DEMO_MODEL)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--host", type=Path, help="penstock_host, in place of `penstock serve`")
    arguments = parser.parse_args(argv)
    try:
        starts = [measure(arguments.model, arguments.host) for _ in range(arguments.rounds)]
    except NoDurationsError as error:
        print(f"no verdict: {error}", file=sys.stderr)
        return 1
    ready = summarize([start.ready_s for start in starts])
    own = summarize([start.own_s for start in starts])
    result = "pass" if own.median <= BOUND_S else "MISS"
    print(f"start to ready: {ready.text(3)} s; without session and warm-up: {own.text(3)} s")
    print(f"target <= {BOUND_S} s: {result}")
    return 0 if own.median <= BOUND_S else 1


if __name__ == "__main__":
    sys.exit(main())
