"""What Penstock's process holds beyond a bare ONNX Runtime process with the same model.

Usage: python -m bench.engine_memory [--model FILE.onnx] [--rounds 5]
Resident memory (VmRSS, MB of 2^20 bytes) after 100 answers: of `penstock serve`, Python included,
and of penstock_host, the server without Python, both asked over gRPC; and what ONNX Runtime adds
to a process that opens it by its C ABI, makes a session of the same model and runs it as often
(ctypes, in a Python whose own memory is taken off). The bound is for `penstock serve`.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from penstock._ort import find_onnxruntime
from penstock_client import Client

from bench.messages import ROOT

BOUND_MB = 30.0
_CALLS = 100
_DEMO_MODEL = ROOT / "examples" / "digits" / "digits.onnx"
_HOST = ROOT / "build" / "test" / "native" / "penstock_host"

# A bare process: the library by its C ABI, one session, runs; slots by number, as in ort_abi.h.
_BARE = r"""
import ctypes, sys
def rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
library, model, calls, input_name, output_name = sys.argv[1:]
before = rss()
P = ctypes.c_void_p
class Base(ctypes.Structure):
    _fields_ = [("GetApi", ctypes.CFUNCTYPE(ctypes.POINTER(P), ctypes.c_uint32)), ("Version", P)]
ort = ctypes.CDLL(library)
ort.OrtGetApiBase.restype = ctypes.POINTER(Base)
table = ort.OrtGetApiBase().contents.GetApi(20)
def call(slot, *arguments):
    status = ctypes.CFUNCTYPE(P, *[type(each) for each in arguments])(table[slot])(*arguments)
    assert not status, slot
def ref(pointer):
    return ctypes.cast(ctypes.byref(pointer), P)
env, options, session, memory, value, out = P(), P(), P(), P(), P(), P()
text, size, number = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
call(3, number(3), text(b"bare"), ref(env))  # CreateEnv
call(10, ref(options))  # CreateSessionOptions
call(24, options, number(1))  # SetIntraOpNumThreads
call(7, env, text(model.encode()), options, ref(session))  # CreateSession
call(69, number(0), number(0), ref(memory))  # CreateCpuMemoryInfo
data, dims = (ctypes.c_float * 64)(), (ctypes.c_int64 * 2)(1, 64)
# CreateTensorWithDataAsOrtValue
call(49, memory, ctypes.cast(data, P), size(256), ctypes.cast(dims, P), size(2), number(1),
     ref(value))
inputs, outputs = (text * 1)(input_name.encode()), (text * 1)(output_name.encode())
values = (P * 1)(value)
release = ctypes.CFUNCTYPE(None, P)(table[96])  # ReleaseValue
for _ in range(int(calls)):
    out = P()
    call(9, session, P(), ctypes.cast(inputs, P), ctypes.cast(values, P), size(1),
         ctypes.cast(outputs, P), size(1), ref(out))  # Run
    release(out)
print(rss() - before)
"""


def rss_mb(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    found = re.search(r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def bare_mb(library: Path, model: Path, input_name: str, output_name: str) -> float:
    command = [sys.executable, "-S", "-c", _BARE, library, model, _CALLS, input_name, output_name]
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def served_mb(command: Sequence[object], x: NDArray[np.float32]) -> tuple[float, str, str]:
    """The server's memory after the calls, and the model's input and output by name."""
    process = subprocess.Popen(
        [str(each) for each in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip().removeprefix("ready grpc=")
        with Client(address) as client:
            [model] = client.repository_index()
            metadata = client.model_metadata(model.name)
            for _ in range(_CALLS):
                client.infer(model.name, {metadata.inputs[0].name: x})
        return rss_mb(process.pid), metadata.inputs[0].name, metadata.outputs[-1].name
    finally:
        process.terminate()
        process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", type=Path, default=_DEMO_MODEL, help="one input, FP32 [n, 64]")
    parser.add_argument("--rounds", type=int, default=5)
    parsed = parser.parse_args(arguments)
    library = find_onnxruntime()
    x = np.zeros((1, 64), np.float32)
    serve = [sys.executable, "-m", "penstock", "serve", "--grpc-port", 0, parsed.model]
    host = [_HOST, "--onnxruntime-library", library, "--grpc-port", 0, parsed.model]
    figures: dict[str, list[float]] = {"bare": [], "penstock_host": [], "penstock serve": []}
    for _ in range(parsed.rounds):
        memory, input_name, output_name = served_mb(serve, x)
        figures["penstock serve"].append(memory)
        if _HOST.exists():
            figures["penstock_host"].append(served_mb(host, x)[0])
        figures["bare"].append(bare_mb(library, parsed.model, input_name, output_name))
    bare = statistics.median(figures["bare"])
    print(f"bare ONNX Runtime with the model: {bare:.1f} MB")
    for name in ("penstock_host", "penstock serve"):
        if figures[name]:
            memory = statistics.median(figures[name])
            print(f"{name}: {memory:.1f} MB, {memory - bare:+.1f} MB")
    extra = statistics.median(figures["penstock serve"]) - bare
    print(f"bound: {BOUND_MB:g} MB more: {'met' if extra <= BOUND_MB else 'missed'}")
    return 0 if extra <= BOUND_MB else 1


if __name__ == "__main__":
    sys.exit(main())
