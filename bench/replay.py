"""Calls the replay client (native/bench/replay_client.cc) and reads its JSON."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.server_process import core_busy_s, pinned


class ReplayError(RuntimeError):
    """The replay client could not run at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run of the client against one server."""

    request: Path
    expect: Path | None = None
    float_tail: int = 0
    connections: int = 1
    streams: int = 1
    warmup_s: float = 0.5
    duration_s: float = 2.0
    requests: int = 0  # above 0: so many instead of a duration
    tcp: bool = False
    path: str | None = None
    record: Path | None = None

    def flags(self) -> list[str]:
        """As the client's command line has them."""
        flags = [
            f"--message {self.request}",
            f"--connections {self.connections}",
            f"--streams {self.streams}",
            f"--warmup-s {self.warmup_s}",
            f"--duration-s {self.duration_s}",
        ]
        if self.expect is not None:
            flags += [f"--expect {self.expect}", f"--float-tail {self.float_tail}"]
        if self.requests > 0:
            flags.append(f"--requests {self.requests}")
        if self.path is not None:
            flags.append(f"--path {self.path}")
        if self.record is not None:
            flags.append(f"--record {self.record}")
        if self.tcp:
            flags.append("--tcp")
        return [part for flag in flags for part in flag.split(" ", 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The client program, bound to one core."""

    program: Path
    core: int

    def run(self, load: Load, *, port: int, server_pids: list[int]) -> dict[str, Any]:
        """One measured round. Wrong answers are in the result, not an exception."""
        command = [str(self.program), "--port", str(port), *load.flags()]
        for pid in server_pids:
            command += ["--server-pid", str(pid)]
        done = subprocess.run(pinned(command, self.core), capture_output=True, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            raise ReplayError(f"replay client ended with {done.returncode}: {done.stderr}")
        result: dict[str, Any] = json.loads(done.stdout)
        result["exit_code"] = done.returncode
        return result

    def run_beside(
        self, load: Load, *, port: int, server_pids: list[int], server_core: int
    ) -> dict[str, Any]:
        """As `run`, and notes which share of the server's core others have used meanwhile.

        The share is of the client's whole life, warm-up and connecting included; /proc/stat
        counts in ticks. It tells a quiet machine from a busy one, no more.
        """
        busy_before = core_busy_s(server_core)
        result = self.run(load, port=port, server_pids=server_pids)
        busy_s = core_busy_s(server_core) - busy_before
        span_s = load.warmup_s + result["duration_s"]
        server_s = result["server_cpu_s"] / result["duration_s"] * span_s
        result["foreign_share"] = max(0.0, (busy_s - server_s) / span_s)
        return result
