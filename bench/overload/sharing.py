"""Who gets what under overload: clients of one model, and models of one server."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.overload.mixed import Bodies, Caller, make_bodies, run_mix
from bench.overload.model import WIDTH, bare_durations, make_model
from bench.overload.setting import DEADLINE_MS, Bench, Row, Setting, capacity, serving

_EQUALS = tuple(f"127.0.0.{number}" for number in range(2, 10))
_GREEDY = "127.0.0.10"
_GREED = 50  # times what one of the others sends
_DEMANDS = (0.5, 1.2)  # of an equal's fair share
_SHARE_MIN = 0.95
_OTHER_LOAD = 0.3  # of the capacity, of the model beside the overloaded one
_OTHER_GOODPUT_MIN = 0.98


def rows(bench: Bench) -> Iterator[Row]:
    """Fairness between clients, with deadlines and without; isolation of models."""
    model = make_model(bench.out / "slow.onnx")
    with serving(bench, model) as setting:
        bodies = {"slow": make_bodies(model, name="slow", row=(WIDTH,), out=bench.out)}
        for deadline_ms in (DEADLINE_MS, 0):
            yield fairness(setting, bodies, deadline_ms)
    batch_s = bare_durations(model, bench.server_core)[-1][1]
    with serving(bench, _two_models(bench.out / "pair", model)) as setting:
        bodies = {name: make_bodies(model, name=name, row=(WIDTH,), out=bench.out) for name in "ab"}
        yield isolation(setting, bodies, batch_s)


def jain(values: Sequence[float]) -> float:
    """1: all equal; 1 / n: one has everything."""
    return float(sum(values) ** 2 / (len(values) * sum(value**2 for value in values)))


def fairness(setting: Setting, bodies: dict[str, Bodies], deadline_ms: int) -> Row:
    """Eight equal clients beside one that sends 50 times as much, at two demands of the eight."""
    shares: dict[float, list[float]] = {demand: [] for demand in _DEMANDS}
    indices: dict[float, list[float]] = {demand: [] for demand in _DEMANDS}
    for number in range(setting.rounds):
        for demand in _DEMANDS:
            got, wanted = _among_clients(setting, bodies, demand, deadline_ms, seed=number + 1)
            smallest = min(g / w for g, w in zip(got, wanted, strict=True))
            shares[demand].append(smallest)
            indices[demand].append(jain(got))
            print(f"  Jain {jain(got):.3f}, smallest share {smallest:.3f}", flush=True)
    share = min(statistics.median(values) for values in shares.values())
    index = min(statistics.median(values) for values in indices.values())
    deadlines = f"{deadline_ms} ms deadlines" if deadline_ms else "no deadlines"
    by_demand = ", ".join(f"{statistics.median(shares[d]):.3f} at {d}" for d in _DEMANDS)
    return Row(
        what=f"fairness: 8 equal clients, one sending {_GREED} times as much, {deadlines}",
        target=f"Jain >= {_SHARE_MIN}, each >= {_SHARE_MIN} of its share",
        measured=f"Jain {index:.3f}, the smallest {share:.3f} of its share"
        f" (demand in fair shares: {by_demand})",
        passed=index >= _SHARE_MIN and share >= _SHARE_MIN,
    )


def _among_clients(
    setting: Setting, bodies: dict[str, Bodies], demand: float, deadline_ms: int, *, seed: int
) -> tuple[list[float], list[float]]:
    """What each of the equal clients got, and its share: answers a second."""
    clients = len(_EQUALS) + 1
    before = capacity(setting)
    rate = demand * before / clients
    callers = [
        Caller(
            model="slow",
            rate=rate * (_GREED if source == _GREEDY else 1),
            source=source,
            deadline_ms=deadline_ms,
        )
        for source in (*_EQUALS, _GREEDY)
    ]
    results = run_mix(setting, callers, bodies, seed=seed, standing=deadline_ms == 0)
    fair = statistics.mean([before, capacity(setting)]) / clients
    got = [each.counts.ok / setting.duration_s for each in results]
    print(
        f"fairness at {demand} of the fair share {fair:.0f}/s, deadline {deadline_ms} ms: "
        f"got {[round(each) for each in got]}",
        flush=True,
    )
    # By what really came: Poisson arrivals vary.
    wanted = [min(each.counts.offered / setting.duration_s, fair) for each in results]
    return got[:-1], wanted[:-1]


def isolation(setting: Setting, bodies: dict[str, Bodies], batch_s: float) -> Row:
    """Model b at a part of what it can do, alone and while model a gets ten times what it can."""
    shares, excesses = [], []
    for number in range(setting.rounds):
        speed = capacity(setting, "b")
        other = Caller(model="b", rate=_OTHER_LOAD * speed, deadline_ms=DEADLINE_MS)
        storm = Caller(model="a", rate=10 * speed, deadline_ms=DEADLINE_MS)
        (alone,) = run_mix(setting, [other], bodies, seed=number + 1)
        beside, _ = run_mix(setting, [other, storm], bodies, seed=number + 1)
        shares.append(beside.counts.ok / beside.counts.offered)
        p99_ms = [each.latency.percentile_us(99) / 1e3 for each in (alone, beside)]
        excesses.append(p99_ms[1] - p99_ms[0])
        print(
            f"isolation: {shares[-1]:.3f} of {beside.counts.offered} calls, p99 {p99_ms[0]:.1f} ms "
            f"alone, {p99_ms[1]:.1f} ms beside the other",
            flush=True,
        )
    excess_ms, batch_ms = statistics.median(excesses), batch_s * 1e3
    return Row(
        what=f"isolation: model b at {_OTHER_LOAD} C while model a gets 10 C",
        target=f">= {_OTHER_GOODPUT_MIN} of b's calls; p99 <= alone + {batch_ms:.0f} ms, a batch",
        measured=f"{statistics.median(shares):.3f}; alone + {excess_ms:.0f} ms",
        passed=statistics.median(shares) >= _OTHER_GOODPUT_MIN and excess_ms <= batch_ms,
    )


def _two_models(repository: Path, model: Path) -> Path:
    """The same model as `a` and as `b`."""
    for name in "ab":
        version = repository / name / "1"
        version.mkdir(parents=True, exist_ok=True)
        (version / "model.onnx").unlink(missing_ok=True)
        (version / "model.onnx").hardlink_to(model)
    return repository
