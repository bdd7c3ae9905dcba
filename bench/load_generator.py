"""How fast is our load generator, and how punctual? Beside Locust and h2load, on one core each.

Usage: python -m bench.load_generator [--rounds 5] [--duration-s 3] [--programs FOLDER]
The server is native/bench/echo_server.cc on the first core: it answers faster than any of them
can ask. On the second core, in turn and again: a Locust worker with gRPC users at their fastest,
our closed loop, h2load, our open loop at 150,000/s and at half of that. Ours checks each answer's
status and tensors, Locust compares bytes, h2load looks at nothing. Writes
build/bench/load_generator.json.
Exit code: 0 all targets met, 1 one missed, 2 this machine cannot measure.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import FOREIGN_MAX
from bench.harness import build_programs
from bench.messages import INFER_PATH, ROOT
from bench.peers.generator import cpu_ns
from bench.server_process import core_busy_s, pinned, running
from bench.workload import Workload, prepare

_CONNECTIONS = 8
_STREAMS = 16
_LOCUST_USERS = 20
_OPEN_RATE = 150_000.0
_LOCUST_RATIO_MIN = 20.0
_H2LOAD_RATIO_MIN = 0.8
_SCHEDULE_ERROR_US_MAX = 50.0
# Poisson arrivals: so many calls are not exactly rate times duration.
_RATE_SLACK = 0.99

Round = dict[str, float]


class LoadToolError(RuntimeError):
    """A tool failed or answers were wrong: no figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where and with what."""

    workload: Workload
    port: int
    core: int
    duration_s: float

    @property
    def request(self) -> Path:
        return self.workload.request_file("small")

    @property
    def answer(self) -> Path:
        return self.workload.echo_file("small")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, judges, prints."""
    arguments = parse_arguments(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or shutil.which("h2load") is None:
        print("needs two cores and h2load (nghttp2-client)", file=sys.stderr)
        return 2
    workload = prepare(arguments.out / "workload")
    programs = arguments.programs or build_programs(ROOT / "build" / "bench-native")
    rounds: dict[str, list[Round]] = {name: [] for name in _TOOLS}
    with running(
        pinned([str(programs / "echo_server"), "--port=0"], cores[0]),
        environment={},
        working_directory=ROOT,
    ) as server:
        os.sched_setaffinity(0, {cores[1]})  # the generator's thread is in this process
        setting = Setting(
            workload=workload, port=server.port, core=cores[1], duration_s=arguments.duration_s
        )
        for number in range(arguments.rounds):
            for name, tool in _TOOLS.items():
                measured = _beside(tool, setting, server.process.pid, cores[0])
                rounds[name].append(measured)
                shown = ", ".join(f"{key} {value:,.2f}" for key, value in measured.items())
                print(f"round {number + 1} {name}: {shown}", flush=True)
    os.sched_setaffinity(0, cores)
    verdicts = judge(rounds)
    facts = machine.facts(ROOT)
    print(f"\n{machine.summary(facts)}\n\n{table(verdicts)}")
    if (foreign := foreign_share(rounds)) > FOREIGN_MAX:
        print(f"NOT QUIET: others used {foreign:.0%} of a core. Run again.")
    content = {"machine": facts, "rounds": rounds, "verdicts": verdicts}
    (arguments.out / "load_generator.json").write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(verdict["passed"] for verdict in verdicts) else 1


def _beside(
    tool: Callable[[Setting], Round], setting: Setting, pid: int, server_core: int
) -> Round:
    """The tool's figures, and which share of either core others used meanwhile: the larger."""
    began_s = time.monotonic()
    server_s = core_busy_s(server_core) - cpu_ns([pid]) / 1e9
    client_s = core_busy_s(setting.core) - _own_cpu_s()
    measured = tool(setting)
    elapsed_s = time.monotonic() - began_s
    server_s = core_busy_s(server_core) - cpu_ns([pid]) / 1e9 - server_s
    client_s = core_busy_s(setting.core) - _own_cpu_s() - client_s
    measured["foreign_share"] = max(0.0, server_s, client_s) / elapsed_s
    return measured


def _own_cpu_s() -> float:
    """Of this process and of the tools that it has started and seen end."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def judge(rounds: Mapping[str, Sequence[Round]]) -> list[dict[str, Any]]:
    """PURE. The issue's targets; ratios are of rounds that ran next to each other."""

    def verdict(what: str, values: Sequence[float], bound: float, least: bool) -> dict[str, Any]:
        median = statistics.median(values)
        return {
            "what": what,
            "target": f"{'>=' if least else '<='} {bound:,g}",
            "median": median,
            "range": [min(values), max(values)],
            "passed": median >= bound if least else median <= bound,
        }

    def ratios(against: str) -> list[float]:
        pairs = zip(rounds["closed"], rounds[against], strict=True)
        return [ours["rate"] / theirs["rate"] for ours, theirs in pairs]

    return [
        verdict(
            "open loop, Poisson, one core, right answers a second (150,000 offered)",
            [each["rate"] for each in rounds["open_full"]],
            _OPEN_RATE * _RATE_SLACK,
            True,
        ),
        verdict(
            "p99 schedule error at half of that, us",
            [each["schedule_error_p99_us"] for each in rounds["open_half"]],
            _SCHEDULE_ERROR_US_MAX,
            False,
        ),
        verdict("closed loop against a Locust worker", ratios("locust"), _LOCUST_RATIO_MIN, True),
        verdict("closed loop against h2load", ratios("h2load"), _H2LOAD_RATIO_MIN, True),
    ]


def foreign_share(rounds: Mapping[str, Sequence[Round]]) -> float:
    """PURE. The median: clock ticks are coarse, and one says nothing."""
    return statistics.median(each["foreign_share"] for runs in rounds.values() for each in runs)


def table(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """PURE. Markdown."""
    lines = ["| measure | target | median (range) | |", "| --- | --- | --- | --- |"]
    for each in verdicts:
        lowest, highest = each["range"]
        lines.append(
            f"| {each['what']} | {each['target']} | {each['median']:,.2f} ({lowest:,.2f} to "
            f"{highest:,.2f}) | {'pass' if each['passed'] else 'MISS'} |"
        )
    return "\n".join(lines)


def _locust(setting: Setting) -> Round:
    """Requests a second as Locust itself counts them, while all its users are there."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *("timeout", "-k", "5", str(setting.duration_s + 60)),
            *(sys.executable, "-m", "locust", "-f", str(ROOT / "bench" / "locust_worker.py")),
            *("--headless", "--only-summary", "--json-file", f"{folder}/result"),
            *("-u", str(_LOCUST_USERS), "-r", "100", "--reset-stats"),
            *("-t", f"{max(1, round(setting.duration_s))}s"),
            *("--host", f"127.0.0.1:{setting.port}"),
        ]
        environment = {
            **os.environ,
            "PENSTOCK_BENCH_REQUEST": str(setting.request),
            "PENSTOCK_BENCH_ANSWER": str(setting.answer),
        }
        done = subprocess.run(
            pinned(command, setting.core),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LoadToolError(f"Locust ended with {done.returncode}: {done.stderr[-2000:]}")
        (entry,) = json.loads(next(Path(folder).glob("result*")).read_text())
    span_s = entry["last_request_timestamp"] - entry["start_time"]
    return {"rate": entry["num_requests"] / span_s}


def _h2load(setting: Setting) -> Round:
    """Its own figure. gRPC's five bytes come before the message."""
    message = setting.request.read_bytes()
    with tempfile.NamedTemporaryFile() as body:
        body.write(b"\0" + len(message).to_bytes(4, "big") + message)
        body.flush()
        command = [
            *("h2load", "-t", "1", "-c", str(_CONNECTIONS), "-m", str(_STREAMS)),
            *("-D", f"{setting.duration_s:g}", "--warm-up-time", "1", "-d", body.name),
            *("-H", "content-type: application/grpc", "-H", "te: trailers"),
            f"http://127.0.0.1:{setting.port}{INFER_PATH}",
        ]
        done = subprocess.run(
            pinned(command, setting.core), capture_output=True, text=True, check=False
        )
    return {"rate": h2load_rate(done.stdout)}


def h2load_rate(output: str) -> float:
    """PURE. From `finished in 3.00s, 123456.78 req/s, 4.2MB/s`."""
    found = re.search(r"finished in .*?, ([0-9.]+) req/s", output)
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", output)
    if found is None or failed is None or any(int(count) for count in failed.groups()):
        raise LoadToolError(f"h2load: {output[-2000:]}")
    return float(found[1])


def _closed(setting: Setting) -> Round:
    return _native(
        setting,
        mode="closed",
        concurrency=_CONNECTIONS * _STREAMS,
        duration_s=setting.duration_s,
        warmup_s=1.0,
    )


def _open(rate: float) -> Callable[[Setting], Round]:
    def measure(setting: Setting) -> Round:
        segments = [(setting.duration_s, rate, rate)]
        return _native(setting, mode="open", segments=segments, warmup_s=0.5)

    return measure


def _native(setting: Setting, **shape: Any) -> Round:
    """Our generator, its thread on this process's core; every answer must be right."""
    from penstock._core import LoadOptions, LoadPayload, LoadRun

    payload = LoadPayload(
        path=INFER_PATH,
        messages=[setting.request.read_bytes()],
        expected=[setting.answer.read_bytes()],
    )
    run = LoadRun.create(
        LoadOptions(payloads=[payload], port=setting.port, connections=_CONNECTIONS, **shape)
    )
    run.start()
    while not run.wait(1.0):
        pass
    result = run.result()
    counts = result.counts
    if result.end != "finished" or counts.wrong + counts.errors + counts.transport_errors > 0:
        raise LoadToolError(f"our generator: {result.failure or result.examples}")
    return {
        "rate": counts.ok / result.elapsed_s,
        "schedule_error_p99_us": result.schedule_error.percentile_us(99),
        "p99_us": result.latency.percentile_us(99),
        "busy_share": result.busy_share,
    }


_TOOLS: dict[str, Callable[[Setting], Round]] = {
    "locust": _locust,
    "closed": _closed,
    "h2load": _h2load,
    "open_full": _open(_OPEN_RATE),
    "open_half": _open(_OPEN_RATE / 2),
}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.load_generator", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration-s", type=float, default=3.0)
    parser.add_argument("--programs", type=Path, help="built native/bench; default: build it")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
