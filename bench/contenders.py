"""Who takes part: one declaration each, and how to tell whether its program is there.

A contender is a server that prints a line `ready grpc=HOST:PORT` and stops on SIGTERM. To add a
peer, add its program under bench/peers (or native/bench) and one entry in `all_contenders`, with
the settings under which it does best; bench/README.md says how those were found.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

# With large messages glibc gives freed memory back and faults it in again; gRPC C++ gains from
# being told not to, our own servers do not.
_KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "268435456",
    "MALLOC_TOP_PAD_": "16777216",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One server program and how it answers."""

    name: str
    command: tuple[str, ...]
    settings: str  # what was chosen, in words, for the report
    answers: str = "echo"  # "echo", "model" or "tcp"
    environment: dict[str, str] = field(default_factory=dict)
    needs: tuple[Path, ...] = ()  # files without which it cannot run
    needs_module: str = ""

    def missing(self) -> str | None:
        """What is not there, or None if the contender can run."""
        for path in self.needs:
            if not path.exists():
                return f"{path.name} is not built"
        if self.needs_module and importlib.util.find_spec(self.needs_module) is None:
            return f"the Python package {self.needs_module} is not installed"
        if not os.access(self.command[0], os.X_OK):
            return f"{self.command[0]} is not a program"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where the harness keeps what contenders are started with."""

    programs: Path  # native/bench's programs
    descriptors: Path
    model: Path
    host: Path | None = None  # native/host's program, to be measured in place of `penstock serve`


def all_contenders(paths: Paths) -> dict[str, Contender]:
    """Every contender by its name."""
    listed = (
        _penstock(paths),
        _penstock(paths, "penstock_uncounted", "--no-model-metrics"),
        _native("echo", paths.programs / "echo_server", "our frontend alone, one loop"),
        _native("tcp_echo", paths.programs / "tcp_echo_server", "our loop alone", answers="tcp"),
        *_grpc_cpp(paths.programs),
        Contender(
            name="grpc_aio",
            command=(
                sys.executable,
                "-m",
                "bench.peers.aio_echo",
                f"--descriptors={paths.descriptors}",
            ),
            settings="one process, one event loop, protobuf's upb messages",
            needs=(paths.descriptors,),
            needs_module="grpc",
        ),
    )
    return {contender.name: contender for contender in listed}


def _grpc_cpp(programs: Path) -> list[Contender]:
    """Both APIs of gRPC C++, as packaged and with glibc's allocator told to keep its memory."""
    found = []
    for suffix, environment, words in (
        ("", {}, ""),
        ("_warm", _KEEP_MEMORY, ", allocator keeps its memory"),
    ):
        found.append(
            _native(
                f"grpc_callback{suffix}",
                programs / "grpc_echo_callback",
                f"callback API, heap messages, swapped contents{words}",
                environment=environment,
            )
        )
        found.append(
            _native(
                f"grpc_cq{suffix}",
                programs / "grpc_echo_cq",
                f"1 queue, 1 thread, 128 calls requested ahead, reused heap messages{words}",
                "--threads=1",
                environment=environment,
            )
        )
    return found


def _native(
    name: str,
    program: Path,
    settings: str,
    *flags: str,
    answers: str = "echo",
    environment: dict[str, str] | None = None,
) -> Contender:
    return Contender(
        name=name,
        command=(str(program), "--port=0", *flags),
        settings=settings,
        answers=answers,
        environment=environment or {},
        needs=(program,),
    )


def _penstock(paths: Paths, name: str = "penstock", *more: str) -> Contender:
    flags = (str(paths.model), "--grpc-port", "0", "--no-http", "--io-threads", "1")
    flags += ("--compute-threads", "1", *more)
    settings = " ".join(["1 loop, 1 compute thread, all else as shipped", *more])
    if paths.host is not None:
        return Contender(
            name=name,
            command=(str(paths.host), "--onnxruntime-library", _onnxruntime_library(), *flags),
            settings=f"penstock_host, {settings}",
            answers="model",
            needs=(paths.host, paths.model),
        )
    return Contender(
        name=name,
        command=(sys.executable, "-m", "penstock", "serve", *flags),
        settings=f"penstock serve, {settings}",
        answers="model",
        needs=(paths.model,),
        needs_module="penstock",
    )


def _onnxruntime_library() -> str:
    """The wheel's shared library; empty, which the host program will refuse, if there is none."""
    spec = importlib.util.find_spec("onnxruntime")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or []:
        for library in Path(folder).glob("capi/libonnxruntime.so.*"):
            return str(library)
    return ""
