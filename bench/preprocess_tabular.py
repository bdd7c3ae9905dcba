"""Rows of a table through gRPC to boosted trees: `penstock serve` beside grpc.aio and scikit-learn.

Usage: python -m bench.preprocess_tabular [--rounds 3] [--duration-s 3]
A row of 20 mixed columns, a tensor each, and a GradientBoostingClassifier of 100 trees. Ours is the
pipeline as `penstock export-preprocessing` writes it, with the trees in ONNX Runtime; theirs makes
a frame and calls predict_proba. Server on the first core, our generator on the second, closed
loop, 8 connections x 16 streams; the two take turns. Every answer is held against scikit-learn's
probabilities. CPU is that of the server's process.
Exit code: 0 target met, 1 missed or a wrong answer, 2 this machine cannot measure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import yaml
from penstock.cli import main as penstock

from bench import machine, tabular_table
from bench import messages as protocol
from bench.figures import FOREIGN_MAX, ratio, summarize
from bench.messages import ROOT
from bench.peers.generator import Calls, Measured, closed
from bench.peers.peer import RunningPeer
from bench.server_process import pinned, running

RATIO_MIN = 100.0
_ROWS = 64
_CONNECTIONS = 8
_STREAMS = 16


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, judges, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration-s", type=float, default=3.0)
    arguments = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("needs two cores: one for the server, one for the load", file=sys.stderr)
        return 2
    folder = ROOT / "build" / "bench" / "tabular"
    shutil.rmtree(folder, ignore_errors=True)
    calls, commands = prepare(folder)
    facts = machine.facts(ROOT)
    os.sched_setaffinity(0, {cores[1]})
    rounds: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(arguments.rounds):
        for name, command in commands.items():
            measured = measure(calls, command, cores[0], arguments.duration_s)
            rounds[name].append(measured)
            print(f"round {number + 1} {name}: {shown(measured)}", flush=True)
    print(f"\n{machine.summary(facts)}\n")
    return judge(rounds)


def prepare(folder: Path) -> tuple[Calls, dict[str, list[str]]]:
    """The model in both forms; what is sent, what must come back, and who is asked."""
    pipeline = tabular_table.fitted()
    model = folder / "models" / tabular_table.MODEL
    (model / "1").mkdir(parents=True)
    pickled = folder / "pipeline.joblib"
    joblib.dump(pipeline, pickled)
    settings = model / "model.yaml"
    export = ["export-preprocessing", pickled, "--output", settings]
    if penstock([str(part) for part in [*export, "--onnx", model / "1" / "model.onnx"]]) != 0:
        raise RuntimeError("the export failed")
    chain = yaml.safe_load(settings.read_text("utf-8"))["preprocessing"][0]
    datatypes = chain["steps"][0]["columns"]["inputs"]
    descriptors = protocol.compile_descriptors(folder / "descriptors.bin")
    messages = protocol.load(descriptors)
    rows = tabular_table.frame(_ROWS, seed=1)
    probabilities = pipeline.predict_proba(rows).astype(np.float32)
    calls = Calls(
        messages=tuple(
            tabular_table.request_of(messages, rows.iloc[[row]], datatypes) for row in range(_ROWS)
        ),
        expected=tuple(answer(messages, values[None]) for values in probabilities),
        connections=_CONNECTIONS,
        concurrency=_CONNECTIONS * _STREAMS,
    )
    serve = ["-m", "penstock", "serve", str(folder / "models"), "--grpc-port", "0", "--no-http"]
    aio = ["-m", "bench.aio_tabular", "--descriptors", str(descriptors), "--pipeline", str(pickled)]
    return calls, {
        "penstock": [sys.executable, *serve, "--io-threads", "1", "--compute-threads", "1"],
        "grpc.aio": [sys.executable, *aio],
    }


def answer(messages: Any, values: Any) -> bytes:
    response = protocol.infer_response(
        messages,
        model=tabular_table.MODEL,
        version="1",
        tensor=tabular_table.OUTPUT,
        shape=values.shape,
        raw=values.tobytes(),
    )
    data: bytes = response.SerializeToString()
    return data


def measure(calls: Calls, command: list[str], core: int, duration_s: float) -> Measured:
    with running(pinned(command, core), environment={}, working_directory=ROOT) as server:
        peer = RunningPeer(port=server.port, pid=server.process.pid, core=core, model_version="1")
        closed(calls, peer, duration_s=0.5)  # warm
        return closed(calls, peer, duration_s=duration_s)


def shown(measured: Measured) -> str:
    return (
        f"{measured.cpu_us_per_request:,.1f} us of CPU a request, {measured.rate:,.0f}/s, "
        f"{measured.failed} wrong or failed, {measured.foreign_share:.0%} of a core was others'"
    )


def judge(rounds: dict[str, list[Measured]]) -> int:
    cpu = {name: [each.cpu_us_per_request for each in runs] for name, runs in rounds.items()}
    times = ratio(cpu["grpc.aio"], cpu["penstock"])
    wrong = sum(each.failed for runs in rounds.values() for each in runs)
    foreign = max(each.foreign_share for runs in rounds.values() for each in runs)
    passed = times.median >= RATIO_MIN and wrong == 0
    for name, values in cpu.items():
        print(f"{name}: {summarize(values).text(1)} us of CPU a request")
    print(f"{times.text(0)}x less (target {RATIO_MIN:.0f}x: {'pass' if passed else 'MISSED'})")
    if wrong:
        print(f"{wrong} answers were wrong or did not come: {rounds}")
    if foreign > FOREIGN_MAX:
        print(f"NOT QUIET: others used {foreign:.0%} of a core. Run again.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
