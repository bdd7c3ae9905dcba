"""The flags of `penstock bench`. Reads nothing but the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from penstock.bench import flag_values as values
from penstock.bench.schedule import PROFILES

__all__ = ["add_bench_arguments"]

_DESCRIPTION = """\
Sends inference requests to a server of the Open Inference Protocol, this one or another, checks the
answers, and measures from the moment a request was due. Exit codes: 0 done (and the SLO met), 1 the
SLO was missed, 2 nothing or only a part could be measured, 130 ended by Ctrl-C."""

_EXAMPLES = """\
examples:
  penstock bench 127.0.0.1:8001 --model digits
  penstock bench 127.0.0.1:8001 --model digits --rate 2000 --duration 8s --json
  penstock bench 127.0.0.1:8001 --model digits --slo p99=20ms --report report.html
  penstock bench 127.0.0.1:8001 --model digits --rate 500,4000 --profile spike --duration 30s
"""


def add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = _DESCRIPTION
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "address", metavar="ADDRESS", type=values.parse_address, help="HOST:PORT of the server"
    )
    parser.add_argument(
        "--model",
        metavar="NAME[/VERSION][:WEIGHT]",
        type=values.parse_model,
        action="append",
        required=True,
        help="the model; several times for a mix, with weights",
    )
    _add_load(parser)
    _add_inputs(parser)
    _add_answers(parser)
    _add_limits(parser)
    _add_output(parser)


def _add_load(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("load")
    group.add_argument(
        "--rate",
        metavar="R[,R...]",
        type=values.parse_rates,
        help="open loop: calls a second, whatever the server does",
    )
    group.add_argument(
        "--arrivals", choices=("poisson", "constant"), default="poisson", help="default: poisson"
    )
    profiles = "; ".join(f"{name}: {text}" for name, text in PROFILES.items())
    group.add_argument(
        "--profile",
        choices=tuple(PROFILES),
        default="steady",
        help=f"how --rate is used. {profiles}",
    )
    group.add_argument(
        "--concurrency",
        metavar="N",
        type=values.parse_count,
        help="closed loop: N callers, each waits for its answer (default: 16, without --rate)",
    )
    group.add_argument(
        "--duration", metavar="TIME", type=values.parse_duration_s, help="of a run (default: 8s)"
    )
    group.add_argument(
        "--warmup",
        metavar="TIME",
        type=values.parse_duration_s,
        default=0.5,
        help="calls before it that count nowhere (default: 500ms)",
    )
    group.add_argument("--requests", metavar="N", type=values.parse_count, help="end after N calls")
    group.add_argument(
        "--connections", metavar="N", type=values.parse_count, default=4, help="default: 4"
    )
    group.add_argument(
        "--seed", metavar="N", type=values.parse_count, default=1, help="of all that is random"
    )
    group.add_argument(
        "--slo",
        metavar="pNN=TIME",
        type=values.parse_slo,
        help="such as p99=20ms. Alone: find the highest rate that meets it. With --rate: check it",
    )
    group.add_argument(
        "--slo-runs-max", metavar="N", type=values.parse_count, default=30, help=argparse.SUPPRESS
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "requests (default: random tensors from the model's metadata)"
    )
    group.add_argument(
        "--input",
        metavar="NAME=VALUE",
        type=values.parse_named,
        action="append",
        default=[],
        help="@file.npy, @file.json or JSON",
    )
    group.add_argument(
        "--shape",
        metavar="NAME=N,N",
        type=values.parse_shape,
        action="append",
        default=[],
        help="of a random input with free dimensions",
    )
    group.add_argument(
        "--range",
        metavar="NAME=LOW,HIGH",
        type=values.parse_limits,
        action="append",
        default=[],
        help="of a random input's values (default: floats -1..1, integers 0..9)",
    )
    group.add_argument(
        "--rows",
        metavar="ROWS",
        type=values.parse_rows,
        help="rows of a request: 4, or 1-8 (equally often), or 1:0.9,8:0.1 (by weight)",
    )
    group.add_argument(
        "--messages",
        metavar="N",
        type=values.parse_count,
        default=32,
        help="different requests made for each model (default: 32)",
    )
    group.add_argument(
        "--deadline", metavar="TIME", type=values.parse_duration_s, help="sent as grpc-timeout"
    )
    group.add_argument(
        "--priority", metavar="N", type=values.parse_count, help="the parameter `priority`"
    )
    group.add_argument(
        "--header",
        metavar="NAME=VALUE",
        type=values.parse_named,
        action="append",
        default=[],
        help="gRPC metadata sent with every call",
    )


def _add_answers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("answers (default: equal requests must get equal answers)")
    group.add_argument(
        "--expect",
        metavar="NAME=VALUE",
        type=values.parse_named,
        action="append",
        default=[],
        help="what an output must be: @file.npy, @file.json or JSON",
    )
    group.add_argument(
        "--tolerance",
        metavar="SHARE",
        type=float,
        default=1e-4,
        help="how far floats may differ, of the largest magnitude (default: 1e-4)",
    )
    group.add_argument("--no-check", action="store_true", help="only look at the gRPC status")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    group.add_argument(
        "--in-flight-max",
        metavar="N",
        type=values.parse_count,
        default=100_000,
        help="unanswered calls beyond which none is sent (default: 100000)",
    )
    for name, default_s, text in (
        ("connect", 5.0, "to reach the server and its metadata (default: 5s)"),
        ("stall", 30.0, "without any answer, after which a run ends (default: 30s)"),
        ("drain", 10.0, "for the last answers (default: 10s)"),
    ):
        group.add_argument(
            f"--{name}-timeout",
            metavar="TIME",
            type=values.parse_duration_s,
            default=default_s,
            help=text,
        )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--json", action="store_true", help="JSON on standard output, and nothing else"
    )
    group.add_argument(
        "--report", metavar="FILE.html", type=Path, help="write a report for a browser"
    )
    group.add_argument("--debug", action="store_true", help="show a traceback with an error")
