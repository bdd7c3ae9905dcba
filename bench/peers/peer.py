"""What a peer is: a declaration. How it gets its environment, its process and its readiness.

Runs on the harness's one thread. A peer's own file says only what is special about it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.messages import ROOT
from bench.server_process import pinned
from bench.workload import FloatArray

_READY_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.1
_LOG_TAIL = 2000


class PeerError(RuntimeError):
    """This peer cannot be measured here; the text says why and goes into the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a peer is started with."""

    folder: Path  # its own, under build/; it may write there
    python: Path  # of its environment, or ours
    model: Path  # an .onnx file, to be served as `model_name`
    model_name: str
    input_name: str
    output_name: str
    input_width: int  # of a row, FP32
    output_width: int
    descriptors: Path  # of the protocol, for servers that are scripts of ours
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How it is started."""

    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One server. `settings` stand in the report, so that a reader can improve them."""

    name: str
    title: str
    settings: tuple[str, ...]
    launch: Callable[[Place], Launch]
    # Installed into an environment of its own, made with `find_python`; none: runs in ours.
    requirements: tuple[str, ...] = ()
    find_python: Callable[[], Path] = lambda: Path(sys.executable)
    # Which distribution's version stands in the report.
    distribution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPeer:
    """A peer that answers rightly."""

    port: int
    pid: int
    core: int
    model_version: str  # as it says in its answers; some say nothing


def prepare_environment(peer: Peer, folder: Path) -> Path:
    """The peer's Python; its environment is made where it is missing or made of other things."""
    if not peer.requirements:
        return Path(sys.executable)
    environment = folder / "environment"
    stamp = environment / "requirements.txt"
    wanted = "\n".join(peer.requirements)
    python = environment / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"{peer.name}: installing {', '.join(peer.requirements)}", flush=True)
    _run(str(peer.find_python()), "-m", "venv", "--clear", str(environment))
    _run(
        *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *peer.requirements,
    )
    stamp.write_text(wanted)
    return python


def version_of(peer: Peer, python: Path) -> str:
    """Of the distribution that it is, or an empty text."""
    if not peer.distribution:
        return ""
    code = f"import importlib.metadata as m; print(m.version({peer.distribution!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@contextlib.contextmanager
def running(
    peer: Peer, place: Place, *, core: int, row: FloatArray, expected: FloatArray
) -> Iterator[RunningPeer]:
    """Starts it on one core and yields once it gives the expected answer; stops it at the end."""
    launch = peer.launch(place)
    log = place.folder / "server.log"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            pinned(launch.command, core),
            stdout=log_file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            # Else ONNX Runtime writes files and opens sockets while it is measured.
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **launch.environment},
            start_new_session=True,  # so that its helpers can be stopped with it
        )
    try:
        version = _wait_ready(process, place, log, row, expected)
        yield RunningPeer(port=place.port, pid=process.pid, core=core, model_version=version)
    finally:
        _stop(process)


def free_port() -> int:
    """One that was free a moment ago: not all peers can pick one themselves and say which."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(
    process: subprocess.Popen[bytes],
    place: Place,
    log: Path,
    row: FloatArray,
    expected: FloatArray,
) -> str:
    """Asks until the answer is there, returns its version; a wrong answer ends it at once."""
    from penstock_client import CallError, Client

    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    last = "nothing"
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise PeerError(f"it ended with {process.returncode}: {_tail(log)}")
        try:
            with Client(f"127.0.0.1:{place.port}", timeout=5, retry=None) as client:
                outputs = client.infer(place.model_name, {place.input_name: row})
        except CallError as error:
            last = str(error)
            time.sleep(_POLL_S)
            continue
        bound = 1e-4 * float(np.abs(expected).max())
        answer = outputs[place.output_name]
        if answer.shape != expected.shape or np.abs(answer - expected).max() > bound:
            raise PeerError(f"a wrong answer: {answer}, expected {expected}")
        return str(outputs.version)
    raise PeerError(f"not ready after {_READY_TIMEOUT_S:g} s ({last}): {_tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the server, SIGKILL to whatever of its session is left."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerError(f"`{' '.join(command[:4])} ...` failed: {done.stderr[-_LOG_TAIL:]}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_LOG_TAIL:].strip()
