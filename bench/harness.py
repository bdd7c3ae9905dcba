"""All contenders of the issue's table, interleaved, checked, judged.

Usage: python bench/run.py [--rounds 5] [--duration-s 2] [--only small,single,large] [--host]
Prints Markdown and writes build/bench/results.json with every round and the machine's facts.
Exit code: 0 if every target was measured and met, 1 if not, 2 if the machine cannot measure.
Runs on one thread; server on one core, generator on another.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import figures, machine, targets
from bench.contenders import Contender, Paths, all_contenders
from bench.messages import ROOT
from bench.reference import Reference
from bench.replay import Client, Load
from bench.self_check import self_check
from bench.server_process import RunningServer, pinned, process_tree, running
from bench.workload import OUTPUT_COUNT, Workload, check_model_answer, prepare

SCENARIO_NAMES = [scenario.name for scenario in targets.SCENARIOS]


def main(arguments: argparse.Namespace) -> int:
    """Builds, proves the judge, measures, prints."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("bench needs two cores: one for the server, one for the generator", file=sys.stderr)
        return 2
    bench = Bench(arguments, server_core=cores[0], client_core=cores[1])
    for line in self_check(bench.client, bench.workload, bench.programs):
        print(f"judge: {line}", flush=True)
    facts = machine.facts(ROOT)
    scenarios = {
        scenario.name: bench.measure(scenario)
        for scenario in targets.SCENARIOS
        if scenario.name in arguments.only
    }
    wanted = [target for target in targets.TARGETS if target.scenario in arguments.only]
    verdicts = [figures.judge(target, scenarios) for target in wanted]
    print(report(facts, bench.contenders, scenarios, verdicts))
    write_json(arguments.out / "results.json", facts, bench.contenders, scenarios, verdicts)
    return 0 if all(verdict.passed for verdict in verdicts) else 1


class Bench:
    """The programs, the recorded requests and two cores."""

    def __init__(
        self, arguments: argparse.Namespace, *, server_core: int, client_core: int
    ) -> None:
        self._arguments = arguments
        self._server_core = server_core
        build = arguments.out.parent / "bench-native"
        self.programs: Path = arguments.programs or build_programs(build)
        self.workload: Workload = prepare(arguments.out / "workload")
        self.client = Client(program=self.programs / "replay_client", core=client_core)
        self.contenders = all_contenders(
            Paths(
                programs=self.programs,
                descriptors=self.workload.descriptors,
                model=self.workload.model,
                host=arguments.host,
            )
        )

    def measure(self, scenario: targets.Scenario) -> dict[str, list[dict[str, Any]]]:
        """Rounds by contender; A-B-C A-B-C, all servers up all the time, one loaded at a time."""
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in scenario.contenders}
        with contextlib.ExitStack() as stack:
            started: dict[str, tuple[RunningServer, Load]] = {}
            for name in scenario.contenders:
                contender = self.contenders[name]
                if (missing := contender.missing()) is not None:
                    print(f"{scenario.name}: {name} is left out: {missing}", flush=True)
                    continue
                server = stack.enter_context(self._start(contender))
                started[name] = (server, self._load(scenario, contender, server))
            for number in range(self._arguments.rounds):
                for name, (server, load) in started.items():
                    measured = self._measure_once(server, load)
                    rounds[name].append(measured)
                    figures.check_round(measured)
                    print(
                        f"{scenario.name} round {number + 1} {name}: "
                        f"{measured['server_cpu_us_per_request']:.2f} us CPU/request, "
                        f"p50 {measured['latency_us']['p50']:.1f} us, "
                        f"{measured['requests_per_s']:,.0f}/s",
                        flush=True,
                    )
        return rounds

    def _start(self, contender: Contender) -> contextlib.AbstractContextManager[RunningServer]:
        return running(
            pinned(contender.command, self._server_core),
            environment=contender.environment,
            working_directory=ROOT,
        )

    def _measure_once(self, server: RunningServer, load: Load) -> dict[str, Any]:
        return self.client.run_beside(
            load,
            port=server.port,
            server_pids=process_tree(server.process.pid),
            server_core=self._server_core,
        )

    def _load(
        self, scenario: targets.Scenario, contender: Contender, server: RunningServer
    ) -> Load:
        load = Load(
            request=self.workload.request_file(scenario.message),
            connections=scenario.connections,
            streams=scenario.streams,
            warmup_s=self._arguments.warmup_s,
            duration_s=self._arguments.duration_s,
        )
        if contender.answers == "tcp":
            return dataclasses.replace(load, tcp=True)
        if contender.answers == "echo":
            return dataclasses.replace(load, expect=self.workload.echo_file(scenario.message))
        answer = self._record_answer(load, contender, server)
        return dataclasses.replace(load, expect=answer, float_tail=OUTPUT_COUNT)

    def _record_answer(self, load: Load, contender: Contender, server: RunningServer) -> Path:
        answer = self.workload.folder / f"{contender.name}.answer"
        once = dataclasses.replace(load, connections=1, streams=1, requests=1, record=answer)
        figures.check_round(self.client.run(once, port=server.port, server_pids=[]))
        expected = Reference(self.workload.model).run(self.workload.row)
        check_model_answer(self.workload, answer.read_bytes(), expected)
        return answer


def build_programs(build: Path) -> Path:
    """Configures and builds native/bench; returns the folder of the programs."""
    subprocess.run(
        ["cmake", "-G", "Ninja", "-S", ROOT, "-B", build, "-DPENSTOCK_BENCH=ON"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(["cmake", "--build", build, "--target", "penstock_bench"], check=True)
    return build / "native" / "bench"


def report(
    facts: dict[str, Any],
    contenders: Mapping[str, Contender],
    scenarios: Mapping[str, figures.Rounds],
    verdicts: list[figures.Verdict],
) -> str:
    """The whole result as Markdown."""
    parts = ["", machine.summary(facts), ""]
    for scenario in targets.SCENARIOS:
        if scenario.name in scenarios:
            parts += [figures.scenario_table(scenario.title, scenarios[scenario.name]), ""]
    foreign = figures.foreign_share(scenarios)
    if foreign > figures.FOREIGN_MAX:
        parts += [f"NOT QUIET: others used {foreign:.0%} of the server's core. Run again.", ""]
    parts += [figures.verdict_table(verdicts), "", "Settings:", ""]
    parts += [f"- {each.name}: {each.settings}" for each in contenders.values()]
    return "\n".join(parts)


def write_json(
    path: Path,
    facts: dict[str, Any],
    contenders: Mapping[str, Contender],
    scenarios: Mapping[str, figures.Rounds],
    verdicts: list[figures.Verdict],
) -> None:
    """Everything that was measured, for other programs."""
    content = {
        "machine": facts,
        "settings": {name: each.settings for name, each in contenders.items()},
        "scenarios": scenarios,
        "verdicts": [
            {**dataclasses.asdict(verdict), "passed": verdict.passed} for verdict in verdicts
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    """The command line of `make bench`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration-s", type=float, default=2.0)
    parser.add_argument("--warmup-s", type=float, default=0.5)
    parser.add_argument("--only", type=lambda text: text.split(","), default=SCENARIO_NAMES)
    parser.add_argument("--programs", type=Path, help="built programs; default: build them")
    parser.add_argument("--host", type=Path, help="penstock_host, in place of `penstock serve`")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    arguments = parser.parse_args()
    unknown = set(arguments.only) - set(SCENARIO_NAMES)
    if unknown or arguments.rounds < 1:
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}" if unknown else "--rounds")
    return arguments
