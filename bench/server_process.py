"""Starts, finds and stops contenders, pinned to one core; reads what /proc says about them.

Runs on the harness's one thread. A contender that does not get ready, or ends by itself, is an
error that carries its output.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_READY = re.compile(rb"ready grpc=[0-9.]+:(\d+)(?: http=[0-9.]+:(\d+))?")
_READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


class ServerError(RuntimeError):
    """A server did not start, or did not stop as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A started server and where it answers."""

    process: subprocess.Popen[bytes]
    port: int
    http_port: int  # 0: none
    started_ns: int  # on the monotonic clock, before the process existed
    ready_ns: int  # when its ready line was read
    log: Path  # its standard error


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command, bound to one core; taskset becomes the program, so the process id stays."""
    return ["taskset", "--cpu-list", str(core), *command]


@contextlib.contextmanager
def running(
    command: Sequence[str], *, environment: dict[str, str], working_directory: Path
) -> Iterator[RunningServer]:
    """Starts a server, yields it once it is ready, and stops it with SIGTERM."""
    log_descriptor, log_name = tempfile.mkstemp(prefix="bench-server-", suffix=".log")
    log = Path(log_name)
    started_ns = time.monotonic_ns()
    with os.fdopen(log_descriptor, "wb") as log_file:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log_file,
            cwd=working_directory,
            env={**os.environ, **environment},
        )
    try:
        port, http_port = _wait_ready(process, log)
        yield RunningServer(
            process=process,
            port=port,
            http_port=http_port,
            started_ns=started_ns,
            ready_ns=time.monotonic_ns(),
            log=log,
        )
        _stop(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        log.unlink(missing_ok=True)


def process_tree(root: int) -> list[int]:
    """The process and everything that it started, for servers of several processes."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                parent = parent_from_stat((entry / "stat").read_text())
                children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:  # grows while it is walked
        found.extend(children.get(pid, []))
    return found


def parent_from_stat(text: str) -> int:
    """The parent's id from /proc/PID/stat, whose second field may hold blanks and brackets."""
    return int(text.rpartition(")")[2].split()[1])


def core_busy_s(core: int) -> float:
    """Seconds that a core has spent on anything but idling, interrupts included."""
    return busy_from_stat(Path("/proc/stat").read_text(), core, os.sysconf("SC_CLK_TCK"))


def busy_from_stat(text: str, core: int, ticks_per_s: int) -> float:
    """Busy seconds of one core from /proc/stat: user, nice, system, irq, softirq and steal."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) / ticks_per_s
    raise KeyError(f"cpu{core}")


def _wait_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[int, int]:
    assert process.stdout is not None
    deadline = time.monotonic() + _READY_TIMEOUT_S
    seen = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(timeout=deadline - time.monotonic()):
                break
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                break
            seen += piece
            match = _READY.search(seen)
            if match and seen.endswith(b"\n"):
                return int(match.group(1)), int(match.group(2) or 0)
    output = (seen + log.read_bytes()).decode(errors="replace")[-2000:]
    raise ServerError(f"{process.args!r} did not get ready; its output:\n{output}")


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ServerError(f"{process.args!r} ignored SIGTERM") from None
    if process.returncode not in (0, -signal.SIGTERM):
        output = log.read_text(errors="replace")[-2000:]
        raise ServerError(f"{process.args!r} ended with {process.returncode}:\n{output}")
