"""What a scrape of /metrics costs with 100 models, and what it does to the calls meanwhile.

Usage: python -m bench.scrape [--rounds 5] [--duration-s 4]
`penstock serve` with 100 copies of the MLP and one event loop on the first core; our generator and
the scraper on the second. The load is open: 10,000 calls a second to one of the models, answers
checked, once with a scrape every 100 ms and once without, in turns. Every page is looked at: all
models have to be on it. How long a scrape takes is judged without load: the generator spins on the
core that the scraper would need, and comes first there.
Exit code: 0 all targets met, 1 one missed, 2 this machine cannot measure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import machine
from bench.figures import ratio, summarize
from bench.messages import ROOT
from bench.overload.__main__ import table
from bench.overload.setting import Row
from bench.server_process import RunningServer, pinned, running
from bench.workload import prepare

MODELS = 100
SCRAPE_MS_MAX = 20
P99_RATIO_MAX = 1.1
_RATE = 10_000
_PERIOD_S = 0.1
_ALONE = 50  # scrapes without any load


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, judges, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration-s", type=float, default=4.0)
    arguments = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("needs two cores: one for the server, one for the load", file=sys.stderr)
        return 2
    facts = machine.facts(ROOT)
    os.sched_setaffinity(0, {cores[1]})
    with serving(ROOT / "build" / "bench" / "scrape", cores[0]) as server:
        rows = measure(server, arguments.rounds, arguments.duration_s)
    print(f"\n{machine.summary(facts)}\n\n{table(rows)}")
    return 0 if all(row.passed for row in rows) else 1


@contextlib.contextmanager
def serving(folder: Path, core: int) -> Iterator[RunningServer]:
    """A repository of 100 models and its server, all ports the system's choice."""
    model = prepare(folder / "workload").model
    repository = folder / "repository"
    shutil.rmtree(repository, ignore_errors=True)
    for index in range(MODELS):
        version = repository / f"m{index}" / "1"
        version.mkdir(parents=True)
        shutil.copy(model, version / "model.onnx")
    command = [sys.executable, "-m", "penstock", "serve", str(repository), "--grpc-port", "0"]
    command += ["--http-port", "0", "--io-threads", "1", "--compute-threads", "1"]
    with running(pinned(command, core), environment={}, working_directory=ROOT) as server:
        yield server


def measure(server: RunningServer, rounds: int, duration_s: float) -> list[Row]:
    """The rows of the table."""
    load(server, duration_s)  # so that the page has something to say
    alone = [scrape(server) for _ in range(_ALONE)]
    without, beside, under_load = [], [], []
    for _ in range(rounds):
        without.append(load(server, duration_s))
        with Scraper(server) as scraper:
            beside.append(load(server, duration_s))
        under_load += scraper.durations_ms
    p99 = ratio(beside, without)
    took = summarize(alone)
    loaded = summarize(under_load)
    return [
        Row(
            what=f"a scrape of {MODELS} models, no load",
            target=f"<= {SCRAPE_MS_MAX} ms",
            measured=f"{took.text(1)} ms",
            passed=took.median <= SCRAPE_MS_MAX,
        ),
        Row(
            what=f"p99 of {_RATE:,} calls a second, a scrape every {1000 * _PERIOD_S:.0f} ms "
            "against none",
            target=f"<= {P99_RATIO_MAX}x",
            measured=f"{p99.text()}x: {summarize(beside).text()} and "
            f"{summarize(without).text()} ms; such a scrape takes {loaded.text(1)} ms",
            passed=p99.median <= P99_RATIO_MAX,
        ),
    ]


def load(server: RunningServer, duration_s: float) -> float:
    """One `penstock bench`: its p99 in ms. Raises where answers were wrong or calls failed."""
    command = [sys.executable, "-m", "penstock", "bench", f"127.0.0.1:{server.port}"]
    command += ["--model", "m0", "--rate", str(_RATE), "--duration", f"{duration_s}s", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"penstock bench ended with {done.returncode}")
    figures = json.loads(done.stdout)
    if figures["wrong"] or figures["ok"] < 0.99 * _RATE * duration_s:
        raise RuntimeError(f"{figures['wrong']} wrong answers, {figures['ok']} good ones")
    return float(figures["latency"]["p99_ms"])


def scrape(server: RunningServer) -> float:
    """Milliseconds of one. Raises unless every model is on the page."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics") as answer:
        page = answer.read()
    took = time.perf_counter() - began
    found = page.count(b'penstock_model_calls_total{model="m')
    if found < MODELS:
        raise RuntimeError(f"{found} of {MODELS} models are on the page")
    return 1000 * took


class Scraper:
    """Scrapes from a thread of its own, less urgent than the generator beside it."""

    def __init__(self, server: RunningServer) -> None:
        self.durations_ms: list[float] = []
        self._server = server
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Scraper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        try:
            while not self._stop.wait(_PERIOD_S):
                self.durations_ms.append(scrape(self._server))
        except Exception as error:  # raised again where the thread is joined
            self._failure = error


if __name__ == "__main__":
    sys.exit(main())
