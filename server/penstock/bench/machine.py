"""The machine, as it stands beside every figure. Reads /proc; needs no privileges."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "read_machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Of the generator; the server may run elsewhere."""

    cpu: str
    cpus: int  # that this process may use
    memory_gib: float
    kernel: str
    system: str
    python: str
    load_average: float  # over the last minute before the first run


def read_machine() -> Machine:
    return Machine(
        cpu=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=platform.release(),
        system=_system(),
        python=platform.python_version(),
        load_average=round(os.getloadavg()[0], 2),
    )


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return " ".join(value.split())
    return ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
