"""`penstock doctor`: what is here, what is missing, and the command that gets it.

Looks at packages and files, and tries every execution provider with a model of one node, on the
very path that serving takes. Changes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import re
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, get_args

from penstock._options import ServerOptions
from penstock._protobuf import VARINT, put_bytes, put_text, put_varint
from penstock._version import __version__
from penstock.errors import PenstockError

__all__ = ["doctor"]

_State = Literal["ok", "note", "missing"]
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "asimd", "sve")
_PACKAGES = (
    ("numpy", "penstock.Engine and `penstock infer`", "pip install numpy"),
    ("penstock-client", "`penstock infer`", "pip install 'penstock[client]'"),
    ("ml_dtypes", "BF16 inputs as bfloat16 arrays", "pip install ml_dtypes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    state: _State  # missing: nothing can be served without it
    found: str
    remedy: str = ""


def doctor(parsed: argparse.Namespace) -> int:
    """Returns the exit code: 0 where models can be served."""
    findings = [finding for look in _LOOKS for finding in look()]
    if parsed.json:
        print(json.dumps({"findings": [dataclasses.asdict(each) for each in findings]}, indent=2))
    else:
        print(render(findings))
    return 1 if any(finding.state == "missing" for finding in findings) else 0


def render(findings: list[Finding]) -> str:
    """PURE."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<7}  {finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"{'':<7}  {'':<{width}}  -> {finding.remedy}")
    return "\n".join(lines)


def _versions() -> Iterator[Finding]:
    libc = " ".join(platform.libc_ver())
    yield Finding(name="penstock", state="ok", found=__version__)
    yield Finding(
        name="python",
        state="ok",
        found=f"{platform.python_version()} ({sys.executable}), {libc}, Linux {platform.release()}",
    )


def _core() -> Iterator[Finding]:
    try:
        from penstock import _core
    except ImportError as error:
        remedy = "reinstall penstock: pip install --force-reinstall penstock"
        yield Finding(name="core", state="missing", found=str(error), remedy=remedy)
    else:
        yield Finding(name="core", state="ok", found=str(_core.__file__))


def _engine() -> Iterator[Finding]:
    from penstock._ort import find_onnxruntime

    try:
        path = find_onnxruntime()
    except PenstockError as error:
        yield _failed("onnxruntime", error)
        return
    yield Finding(name="onnxruntime", state="ok", found=str(path))


def _providers() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "doctor.onnx"
        model.write_bytes(_identity_model())
        for provider in _provider_names():
            yield _provider(provider, model)


def _provider(provider: str, model: Path) -> Finding:
    name = f"provider {provider}"
    try:
        from penstock.engine import Engine

        with Engine(model, providers=(provider,), log_level="error"):
            return Finding(name=name, state="ok", found="runs a model")
    except ImportError as error:
        return Finding(name=name, state="missing", found=str(error))
    except PenstockError as error:
        # Only the processor's own is needed; the message says what to install for another.
        text = str(error).replace(f"'{model}'", "of one node")
        return Finding(name=name, state="missing" if provider == "cpu" else "note", found=text)


def _provider_names() -> tuple[str, ...]:
    annotation = ServerOptions.model_fields["providers"].annotation
    choices = get_args(get_args(annotation)[0])
    return tuple(str(choice) for choice in choices)


def _processor() -> Iterator[Finding]:
    text = _read("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    present = set(flags[1].split()) if flags else set()
    features = [feature for feature in _FEATURES if feature in present]
    yield Finding(
        name="processor",
        state="ok",
        found=f"{model[1] if model else platform.machine()}: {' '.join(features) or 'no features'}",
    )


def _granted() -> Iterator[Finding]:
    try:
        from penstock._core import granted_cores
    except ImportError:
        return  # said before
    yield Finding(name="cores granted", state="ok", found=f"{granted_cores():g}")
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    if limit.isdigit():
        yield Finding(name="memory limit", state="ok", found=f"{int(limit) / 2**20:,.0f} MiB")


def _limits() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ServerOptions().max_connections + 100  # some for libraries, models and logs
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        yield Finding(name="open files", state="ok", found=str(soft))
        return
    yield Finding(
        name="open files",
        state="note",
        found=f"{soft}, fewer than max_connections needs ({wanted}): what comes beyond waits",
        remedy=f"ulimit -n {min(hard, wanted) if hard != resource.RLIM_INFINITY else wanted}",
    )


def _packages() -> Iterator[Finding]:
    for name, purpose, remedy in _PACKAGES:
        try:
            yield Finding(name=name, state="ok", found=version(name))
        except PackageNotFoundError:
            found = f"not installed; needed for {purpose}"
            yield Finding(name=name, state="note", found=found, remedy=remedy)


def _failed(name: str, error: PenstockError) -> Finding:
    return Finding(name=name, state="missing", found=str(error))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _identity_model() -> bytes:
    """y = Identity(x) over FP32 [n, 1], as an ONNX file: IR version 8, operator set 13."""

    def number(field: int, value: int) -> bytes:
        return put_varint(field << 3 | VARINT) + put_varint(value)

    shape = put_bytes(1, put_text(2, "n")) + put_bytes(1, number(1, 1))
    tensor = put_bytes(2, put_bytes(1, number(1, 1) + put_bytes(2, shape)))
    node = put_text(1, "x") + put_text(2, "y") + put_text(4, "Identity")
    graph = put_bytes(1, node) + put_text(2, "doctor")
    graph += put_bytes(11, put_text(1, "x") + tensor) + put_bytes(12, put_text(1, "y") + tensor)
    return number(1, 8) + put_bytes(7, graph) + put_bytes(8, number(2, 13))


_LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _versions,
    _core,
    _engine,
    _providers,
    _processor,
    _granted,
    _limits,
    _packages,
)
