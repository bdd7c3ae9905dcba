"""What a server does with more than it can do. `make bench-overload`.

Usage: python -m bench.overload [--only goodput,...] [--duration-s 6] [--rounds 3] [--out FOLDER]
`penstock serve` on the first core with a model of about 5 ms a row (12 ms for eight), and our load
generator on the second: open loop, Poisson, latency from the moment a call was due, answers
checked. Capacity C is a closed loop's goodput just before and after each overload, so that a
machine that changes its speed does not look like a server that does. Writes overload.json.
Exit code: 0 all targets met, 1 one missed, 2 this machine cannot measure.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import machine
from bench.messages import ROOT
from bench.overload import costs, goodput, limits, peers, sharing
from bench.overload.setting import Bench, Row

# The themes, each with rows of its own.
_THEMES: dict[str, Callable[[Bench], Iterable[Row]]] = {
    "goodput": goodput.rows,
    "sharing": sharing.rows,
    "limits": limits.rows,
    "costs": costs.rows,
    "peers-overload": peers.overload_rows,
    "peers-slo": peers.slo_rows,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, judges, prints."""
    arguments = parse_arguments(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("needs two cores: one for the server, one for the load", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        server_core=cores[0],
        client_core=cores[1],
        duration_s=arguments.duration_s,
        rounds=arguments.rounds,
        out=arguments.out,
    )
    rows = []
    for theme in arguments.only or _THEMES:
        for row in _THEMES[theme](bench):
            print(f"{row.what}: {row.measured} ({verdict(row)})", flush=True)
            rows.append(row)
    facts = machine.facts(ROOT)
    print(f"\n{machine.summary(facts)}\n\n{table(rows)}")
    content = {"machine": facts, "rows": [asdict(row) for row in rows]}
    (arguments.out / "overload.json").write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(row.passed for row in rows) else 1


def verdict(row: Row) -> str:
    """As the table says it."""
    return "pass" if row.passed else "missed"


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| measure | target | measured | |", "| --- | --- | --- | --- |"]
    for row in rows:
        lines.append(f"| {row.what} | {row.target} | {row.measured} | {verdict(row)} |")
    return "\n".join(lines)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags of the usage line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.overload", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", type=_themes, default=[], help=", ".join(_THEMES))
    parser.add_argument("--duration-s", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args(argv)


def _themes(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in _THEMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]}: there are {', '.join(_THEMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
