"""Does `penstock bench --slo` find the knee? Against a fine sweep, on a server of known speed.

Usage: python -m bench.slo_accuracy [--duration-s 5] [--passes 3]
The server (bench/paced_server.py, first core) takes 2 ms for each request, one after the other.
The search and then the sweep run on the second core: rates from 12 % below to 12 % above the rate
found, 2 % apart, in random order, several passes. The sweep's knee is the highest rate up to which
most passes met the SLO. Writes build/bench/slo_accuracy.json. Exit code: 0 within 5 %, 1 not, 2 it
could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.messages import ROOT, compile_descriptors
from bench.server_process import RunningServer, pinned, running

BOUND = 0.05
SLO = "p99=20ms"
_STEP = 0.02
_STEPS = 6  # on each side
_SERVICE_MS = 2.0
# The server has no metadata: what is sent is said here.
_REQUEST = ["--model", "paced", "--input", "x=[[1, 2, 3, 4]]"]


def bench(server: RunningServer, core: int, *flags: str) -> dict[str, Any]:
    """One `penstock bench`; its JSON."""
    command = [f"{sys.executable}", "-m", "penstock", "bench", f"127.0.0.1:{server.port}"]
    done = subprocess.run(
        pinned([*command, *_REQUEST, "--json", *flags], core),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"penstock bench ended with {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def sweep(
    server: RunningServer, core: int, rates: Sequence[float], duration: str, passes: int
) -> dict[float, list[bool]]:
    """Every rate once in each pass, in random order: did it meet the SLO?"""
    met: dict[float, list[bool]] = {rate: [] for rate in rates}
    order = random.Random(11)
    for _ in range(passes):
        for rate in order.sample(list(rates), len(rates)):
            flags = ["--slo", SLO, "--rate", f"{rate:.0f}", "--duration", duration]
            met[rate].append(bool(bench(server, core, *flags)["slo"]["met"]))
    return met


def knee(met: dict[float, list[bool]]) -> float | None:
    """PURE. The highest rate up to which most passes met the SLO; None if the first missed."""
    found = None
    for rate in sorted(met):
        if 2 * sum(met[rate]) <= len(met[rate]):
            break
        found = rate
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--duration-s", type=float, default=5)
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("two cores are needed: one for the server, one for the generator", file=sys.stderr)
        return 2
    duration = f"{given.duration_s:g}s"
    with tempfile.TemporaryDirectory() as folder:
        descriptors = compile_descriptors(Path(folder) / "descriptors.pb")
        serve = [sys.executable, "-m", "bench.paced_server", "--descriptors", str(descriptors)]
        command = pinned([*serve, "--service-ms", str(_SERVICE_MS)], cores[0])
        with running(command, environment={}, working_directory=ROOT) as server:
            search = bench(server, cores[1], "--slo", SLO, "--duration", duration)["slo"]["search"]
            centre = search["rate"]
            if centre is None:
                print(f"no rate met the SLO: {search}", file=sys.stderr)
                return 2
            rates = [centre * (1 + _STEP * step) for step in range(-_STEPS, _STEPS + 1)]
            met = sweep(server, cores[1], rates, duration, given.passes)
    swept = knee(met)
    ratio = centre / swept if swept else None
    result = {
        "machine": machine.facts(ROOT),
        "slo": SLO,
        "service_ms": _SERVICE_MS,
        "search": search,
        "sweep": [{"rate": rate, "met": votes} for rate, votes in sorted(met.items())],
        "sweep_rate": swept,
        "ratio": ratio,
    }
    target = ROOT / "build" / "bench" / "slo_accuracy.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1))
    print(f"service time {_SERVICE_MS:g} ms: below {1e3 / _SERVICE_MS:.0f} calls/s, {SLO}")
    print(f"search: {centre:.1f}/s (confirmed: {search['confirmed']}); sweep: {swept or 0:.1f}/s")
    for rate, votes in sorted(met.items()):
        print(f"  {rate:7.1f}/s met in {sum(votes)} of {len(votes)} runs")
    if ratio is None:
        print("the sweep found no rate that meets the SLO: its range was too high")
        return 1
    passed = abs(ratio - 1) <= BOUND
    print(f"search / sweep = {ratio:.3f}, bound 1 +- {BOUND}: {'pass' if passed else 'MISS'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
