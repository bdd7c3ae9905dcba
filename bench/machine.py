"""What a number is worth nothing without: processor, kernel, versions, load at the start."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "grpcio", "protobuf", "numpy", "penstock")
_LIBRARIES = ("grpc++", "protobuf", "libnghttp2")


def facts(root: Path) -> dict[str, Any]:
    """Everything a reader needs to judge and repeat the figures."""
    return {
        "date_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu_model": processor_name(Path("/proc/cpuinfo").read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "loopback_mtu": int(Path("/sys/class/net/lo/mtu").read_text()),
        "versions": _versions(),
        "commit": _output("git", "-C", str(root), "rev-parse", "HEAD"),
    }


def processor_name(cpuinfo: str) -> str:
    """The processor's name from /proc/cpuinfo; Arm kernels give only numbers."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "CPU part"):
            return value.strip()
    return "unknown"


def summary(machine: dict[str, Any]) -> str:
    """One line for the head of the table."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['date_utc']}, {machine['cpu_model']}, {machine['cores']} cores, "
        f"Linux {machine['kernel']}; {versions}"
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    for name in _LIBRARIES:
        version = _output("pkg-config", "--modversion", name)
        if version is not None:
            found[f"lib {name}"] = version
    return found


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
