"""The servers that others would use, under the same load: at an SLO and at four times too much."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator

import numpy as np
from penstock.bench.slo import SloSearch

from bench import messages as protocol
from bench.overload.mixed import Bodies, Caller, make_bodies, run_closed, run_mix
from bench.overload.model import BATCH_MAX, WIDTH, bare_durations, make_model
from bench.overload.setting import DEADLINE_MS, Bench, Row, Setting
from bench.peers.__main__ import find_peers
from bench.peers.peer import PeerError, Place, free_port, prepare_environment, running
from bench.reference import Reference

_OURS = "penstock"
_NAME = "slow"
_CONNECTIONS = 8
_OVERLOAD = 4
_SLO_RATIO_MIN, _OVERLOAD_RATIO_MIN = 1.1, 5.0
_SEARCH_RUNS, _PRECISION = 10, 0.05

Peers = dict[str, tuple[Setting, Bodies]]


def overload_rows(bench: Bench) -> Iterator[Row]:
    """What each server still answers in time."""
    with _all_started(bench) as (peers, capacities):
        yield at_overload(peers, capacities)


def slo_rows(bench: Bench) -> Iterator[Row]:
    """What each server can promise."""
    model = make_model(bench.out / f"{_NAME}.onnx")
    slo_s = 10 * bare_durations(model, bench.server_core)[0][1]
    with _all_started(bench) as (peers, capacities):
        yield at_slo(peers, capacities, slo_s)


@contextlib.contextmanager
def _all_started(bench: Bench) -> Iterator[tuple[Peers, dict[str, float]]]:
    """All servers up, to be loaded one at a time, in turn; and what each can do."""
    make_model(bench.out / f"{_NAME}.onnx")
    with contextlib.ExitStack() as stack:
        peers: Peers = {}
        for name in find_peers([]):
            try:
                peers[name] = _start(stack, bench, name)
            except PeerError as error:
                print(f"{name} is left out: {error}", flush=True)
        capacities = {name: _capacity(*peer) for name, peer in peers.items()}
        print(f"capacities: { {name: round(each) for name, each in capacities.items()} }")
        yield peers, capacities


def at_overload(peers: Peers, capacities: dict[str, float]) -> Row:
    """Answers in time a second. All get the same load: four times what the fastest can do."""
    rate = _OVERLOAD * max(capacities.values())
    rounds: dict[str, list[float]] = {name: [] for name in peers}
    setting, _ = peers[_OURS]
    for number in range(setting.rounds):
        for name, (own, bodies) in peers.items():
            caller = Caller(model=_NAME, rate=_OVERLOAD * capacities[name], deadline_ms=DEADLINE_MS)
            (got,) = run_mix(
                own, [caller], {_NAME: bodies}, seed=number + 1, connections=_CONNECTIONS
            )
            rounds[name].append(got.counts.ok / own.duration_s)
            print(f"{_OVERLOAD}x {name}: {rounds[name][-1]:.0f}/s in time", flush=True)
    return _against_the_best(
        f"goodput at {rate:.0f}/s, {_OVERLOAD}x the capacity, {DEADLINE_MS} ms deadlines",
        rounds,
        bound=_OVERLOAD_RATIO_MIN,
    )


def at_slo(peers: Peers, capacities: dict[str, float], slo_s: float) -> Row:
    """The highest rate at which 99 of 100 calls are answered within ten times a run of one row."""
    searches = {
        name: SloSearch(start=0.6 * speed, precision=_PRECISION, runs_max=_SEARCH_RUNS)
        for name, speed in capacities.items()
    }
    seed = 0
    while wanted := {n: rate for n, s in searches.items() if (rate := s.next_rate()) is not None}:
        seed += 1
        for name, rate in wanted.items():
            setting, bodies = peers[name]
            (got,) = run_mix(
                setting,
                [Caller(model=_NAME, rate=rate)],
                {_NAME: bodies},
                seed=seed,
                connections=_CONNECTIONS,
            )
            within = sum(count for us, count in got.latency.buckets if us <= slo_s * 1e6)
            met = min(within, got.counts.ok) >= 0.99 * got.counts.offered
            searches[name].add(rate, met=met)
            print(f"slo {name} at {rate:.0f}/s: {'met' if met else 'missed'}", flush=True)
    found = {name: [search.result().rate or 0.0] for name, search in searches.items()}
    return _against_the_best(f"goodput at p99 <= {slo_s * 1e3:.0f} ms", found, _SLO_RATIO_MIN)


def _against_the_best(what: str, rounds: dict[str, list[float]], bound: float) -> Row:
    medians = {name: statistics.median(values) for name, values in rounds.items()}
    others = {name: median for name, median in medians.items() if name != _OURS}
    if not others:
        return Row(what=what, target=f">= {bound}x", measured="no peer is there", passed=False)
    best = max(others, key=lambda name: others[name])
    ratio = medians[_OURS] / max(others[best], 1e-9)
    figures = ", ".join(f"{name} {median:.0f}/s" for name, median in medians.items())
    return Row(
        what=f"{what}, against the best peer",
        target=f">= {bound}x",
        measured=f"{ratio:.2f}x {best} ({figures})",
        passed=ratio >= bound,
    )


def _capacity(setting: Setting, bodies: Bodies) -> float:
    result = run_closed(
        setting, bodies, connections=_CONNECTIONS, concurrency=2 * BATCH_MAX, warmup_s=1.0
    )
    return result.counts.ok / result.elapsed_s


def _start(stack: contextlib.ExitStack, bench: Bench, name: str) -> tuple[Setting, Bodies]:
    """One peer with the model on the server's core."""
    (peer,) = find_peers([name]).values()
    # Where `make bench-peers` has its environments, too.
    folder = (protocol.ROOT / "build" / "peers" / name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    model = (bench.out / f"{_NAME}.onnx").resolve()
    place = Place(
        folder=folder,
        python=prepare_environment(peer, folder),
        model=model,
        model_name=_NAME,
        input_name="x",
        output_name="y",
        input_width=WIDTH,
        output_width=WIDTH,
        descriptors=protocol.compile_descriptors(bench.out / "descriptors.bin"),
        port=free_port(),
    )
    row = np.ones((1, WIDTH), np.float32)
    expected = Reference(model).run(row)
    server = stack.enter_context(
        running(peer, place, core=bench.server_core, row=row, expected=expected)
    )
    setting = Setting(
        port=server.port,
        pid=server.pid,
        core=bench.client_core,
        duration_s=bench.duration_s,
        rounds=bench.rounds,
    )
    bodies = make_bodies(
        model, name=_NAME, row=(WIDTH,), out=bench.out, version=server.model_version
    )
    return setting, bodies
