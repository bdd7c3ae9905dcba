"""Peers side by side: `python -m bench.peers [--rounds 5] [--duration-s 3] [--only triton,...]`.

Makes what environments are missing, starts every server on one core, loads one at a time with the
native generator on another, in turn and again, and checks every answer. Prints Markdown; writes
build/peers/results.json and report.md. Exit code: 0 all measured, every closed-loop answer right;
1 a peer was left out or a call failed; 2 this machine cannot measure.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import bench.peers
from bench import machine
from bench import messages as protocol
from bench.peers import generator, report
from bench.peers.generator import Calls
from bench.peers.peer import (
    Peer,
    PeerError,
    Place,
    RunningPeer,
    free_port,
    prepare_environment,
    running,
    version_of,
)
from bench.peers.report import PeerRounds
from bench.reference import Reference
from bench.workload import INPUT_NAME, MODEL_NAME, OUTPUT_COUNT, FloatArray, Workload, prepare

_OUTPUT_NAME = "y"
_ROWS = 64  # different requests
_SEED = 4
_CONNECTIONS = 8
_STREAMS = 16


def main(argv: Sequence[str] | None = None) -> int:
    """Prepares, measures, reports."""
    arguments = parse_arguments(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("needs two cores: one for the server, one for the generator", file=sys.stderr)
        return 2
    workload = prepare(arguments.out / "workload")
    random = np.random.default_rng(_SEED)
    rows = random.standard_normal((_ROWS, 1, workload.row.shape[1]), dtype=np.float32)
    reference = Reference(workload.model)
    answers = [reference.run(row) for row in rows]
    left_out: dict[str, str] = {}
    peers: dict[str, PeerRounds] = {}
    with contextlib.ExitStack() as stack:
        started: dict[str, RunningPeer] = {}
        for name, peer in find_peers(arguments.only).items():
            try:
                place, version = _place(peer, arguments.out / name, workload)
                started[name] = stack.enter_context(
                    running(peer, place, core=cores[0], row=rows[0], expected=answers[0])
                )
            except PeerError as error:
                print(f"{name} is left out: {error}", flush=True)
                left_out[name] = str(error)
                continue
            peers[name] = PeerRounds(title=peer.title, version=version, settings=peer.settings)
        os.sched_setaffinity(0, {cores[1]})
        calls = {
            name: _calls(workload, rows, answers, server.model_version)
            for name, server in started.items()
        }
        _measure(arguments, calls, started, peers, left_out)
        os.sched_setaffinity(0, cores)
    text = report.markdown(machine.summary(machine.facts(protocol.ROOT)), peers, left_out, _METHOD)
    print(f"\n{text}")
    (arguments.out / "report.md").write_text(text + "\n")
    _write_json(arguments.out / "results.json", peers, left_out)
    return 1 if left_out or report.failed_calls(peers) else 0


_METHOD = (
    f"MLP 64-128-64-10, FP32, one row a request, {_CONNECTIONS} connections"
    f" x {_STREAMS} streams in closed loop; the server on one core, the native generator on"
    " another; all servers up, one loaded at a time, in turn; every answer compared with ONNX"
    " Runtime's. Medians over the rounds, ranges in brackets."
)


def find_peers(only: Sequence[str]) -> dict[str, Peer]:
    """Every module of this package with a PEER, ours first."""
    found = {}
    for module in pkgutil.iter_modules(bench.peers.__path__):
        if module.name.startswith("_") or module.ispkg:
            continue
        peer = getattr(importlib.import_module(f"bench.peers.{module.name}"), "PEER", None)
        if peer is not None and (not only or peer.name in only):
            found[peer.name] = peer
    if unknown := set(only) - set(found):
        raise SystemExit(f"unknown peer: {', '.join(sorted(unknown))}")
    return dict(sorted(found.items(), key=lambda item: (item[0] != "penstock", item[0])))


def _place(peer: Peer, folder: Path, workload: Workload) -> tuple[Place, str]:
    folder.mkdir(parents=True, exist_ok=True)
    python = prepare_environment(peer, folder)
    place = Place(
        folder=folder,
        python=python,
        model=workload.model,
        model_name=MODEL_NAME,
        input_name=INPUT_NAME,
        output_name=_OUTPUT_NAME,
        input_width=workload.row.shape[1],
        output_width=OUTPUT_COUNT,
        descriptors=workload.descriptors,
        port=free_port(),
    )
    return place, version_of(peer, python)


def _calls(
    workload: Workload, rows: FloatArray, answers: Sequence[FloatArray], version: str
) -> Calls:
    """Requests with the answers that ONNX Runtime gives to each alone."""
    requests = []
    expected = []
    for row, answer in zip(rows, answers, strict=True):
        request = protocol.infer_request(
            workload.messages,
            model=MODEL_NAME,
            tensor=INPUT_NAME,
            shape=row.shape,
            raw=row.tobytes(),
        )
        requests.append(request.SerializeToString())
        response = protocol.infer_response(
            workload.messages,
            model=MODEL_NAME,
            version=version,
            tensor=_OUTPUT_NAME,
            shape=answer.shape,
            raw=answer.tobytes(),
        )
        expected.append(response.SerializeToString())
    return Calls(
        messages=tuple(requests),
        expected=tuple(expected),
        connections=_CONNECTIONS,
        concurrency=_CONNECTIONS * _STREAMS,
    )


def _measure(
    arguments: argparse.Namespace,
    calls: Mapping[str, Calls],
    started: Mapping[str, RunningPeer],
    peers: dict[str, PeerRounds],
    left_out: dict[str, str],
) -> None:
    """Closed loops of everybody, round by round; then the open loops, which need the capacity."""
    usable = dict(started)

    def one(name: str, measure: str, share: float, number: int) -> None:
        rounds = peers[name]
        try:
            if measure == "closed":
                generator.closed(calls[name], usable[name], duration_s=arguments.warmup_s)
                measured = generator.closed(
                    calls[name], usable[name], duration_s=arguments.duration_s
                )
                rounds.closed.append(measured)
            else:
                measured = generator.opened(
                    calls[name],
                    usable[name],
                    rate=share * report.capacity(rounds),
                    duration_s=arguments.duration_s,
                    seed=number + 1,
                )
                rounds.opened.setdefault(share, []).append(measured)
        except PeerError as error:
            left_out[name] = f"{measure}, round {number + 1}: {error}"
            del usable[name], peers[name]
            print(f"{name} is left out: {error}", flush=True)
            return
        at = "" if measure == "closed" else f" at {share:.0%}"
        print(
            f"{measure}{at} round {number + 1} {name}: {measured.rate:,.0f}/s, "
            f"{measured.cpu_us_per_request:.2f} us CPU, p50 {measured.p50_ms:.2f} ms, "
            f"p99 {measured.p99_ms:.2f} ms, {measured.failed} failed"
            f"{f' {measured.failures}' if measured.failures else ''}",
            flush=True,
        )

    for number in range(arguments.rounds):
        for name in list(usable):
            one(name, "closed", 0, number)
    for share in arguments.shares:
        for number in range(arguments.rounds):
            for name in list(usable):
                one(name, "open", share, number)


def _write_json(path: Path, peers: Mapping[str, PeerRounds], left_out: Mapping[str, str]) -> None:
    content = {
        "machine": machine.facts(protocol.ROOT),
        "method": _METHOD,
        "peers": {name: dataclasses.asdict(rounds) for name, rounds in peers.items()},
        "left_out": dict(left_out),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration-s", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--warmup-s", type=float, default=1.0)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument(
        "--shares",
        type=lambda text: [float(share) for share in text.split(",") if share],
        default=[0.3, 0.6, 0.9],
        help="of each server's capacity, for the open loops; empty: none",
    )
    parser.add_argument("--out", type=Path, default=protocol.ROOT / "build" / "peers")
    arguments = parser.parse_args(argv)
    arguments.out = arguments.out.resolve()  # peers get it with working directories of their own
    return arguments


if __name__ == "__main__":
    sys.exit(main())
