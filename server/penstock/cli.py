"""The command line `penstock`. Parses arguments, prints errors, returns the exit code.

Exit codes of `serve`: 0 stopped with everything finished, 1 failed to start or to finish in time, 2
wrong usage, 128 + n ended at once by signal n. Those of `models`, `infer` and `doctor`: 0 done, 1
failed, 2 wrong usage. What the flags of `serve` are called and accept stands in
native/options.toml; the flags here are made from it. `bench` is described in bench/arguments.py.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from penstock._flag_values import parse_duration_ms, parse_int, parse_list
from penstock._flags import FLAGS, Flag
from penstock._version import __version__
from penstock.bench.arguments import add_bench_arguments
from penstock.commands.arguments import (
    add_doctor_arguments,
    add_export_arguments,
    add_infer_arguments,
    add_models_arguments,
)
from penstock.errors import ConfigError, PenstockError

__all__ = ["main"]

_FAILURE = 1
_WRONG_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _make_parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help(sys.stderr)
        return _WRONG_USAGE
    if parsed.command == "bench":
        from penstock.bench.command import bench

        return bench(parsed, ["penstock", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        return _run(parser, parsed)
    except PenstockError as error:
        if parsed.debug:
            traceback.print_exc()
        print(f"penstock: error: {error}", file=sys.stderr)
        return _FAILURE


def _run(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    # Imported late, as everything that a command needs: `penstock --version` needs none of it.
    if parsed.command == "models":
        from penstock.commands.models import models

        return models(parsed)
    if parsed.command == "infer":
        from penstock.commands.infer import infer

        return infer(parsed)
    if parsed.command == "doctor":
        from penstock.commands.doctor import doctor

        return doctor(parsed)
    if parsed.command == "export-preprocessing":
        from penstock.commands.export import export_preprocessing

        return export_preprocessing(parsed)
    return _serve(parser, parsed)


def _serve(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    # Imported late, since `penstock --version` and wrong usage need none of it.
    from penstock.config import check_together, make_model_options, make_server_options

    given: dict[str, dict[str, object]] = {"server": {}, "model": {}}
    for flag in FLAGS:
        value = getattr(parsed, _destination(flag))
        if value is not None:
            given[flag.scope][flag.field] = value
    try:
        check_together(make_server_options(given["server"]), make_model_options(given["model"]))
    except ConfigError as error:
        parser.error(str(error))
    from penstock.serve import serve

    return serve(parsed.paths, {**given["model"], **given["server"]})


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="penstock", description="A gRPC inference server.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"penstock {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve models until SIGTERM or SIGINT",
        description="Serves models until SIGTERM or SIGINT. Prints one line "
        "`ready grpc=HOST:PORT http=HOST:PORT` to standard output once it answers; logs go to "
        "standard error.",
        allow_abbrev=False,
    )
    serve.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="an .onnx file, or a model repository <model>/<version>/model.onnx",
    )
    for flag in FLAGS:
        _add_flag(serve, flag)
    for name, text, add_arguments in (
        ("models", "list models of a server or on disk", add_models_arguments),
        ("infer", "send one request and print the answer", add_infer_arguments),
        ("doctor", "show what is here, what is missing and how to get it", add_doctor_arguments),
        (
            "export-preprocessing",
            "write a fitted scikit-learn transformer as a model.yaml",
            add_export_arguments,
        ),
    ):
        add_arguments(commands.add_parser(name, help=text, allow_abbrev=False))
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show a traceback with an error")
    bench = commands.add_parser(
        "bench", help="measure a server under load and find what it can take", allow_abbrev=False
    )
    add_bench_arguments(bench)
    return parser


def _add_flag(parser: argparse.ArgumentParser, flag: Flag) -> None:
    # argparse formats help with %, and settings speak of percent.
    text = argparse.SUPPRESS if flag.hidden else flag.help.replace("%", "%%")
    destination = _destination(flag)
    if flag.kind == "bool":
        parser.add_argument(
            flag.name, dest=destination, action="store_true", default=None, help=text
        )
        return
    metavar = "{" + ",".join(flag.choices) + "}" if flag.kind == "enum" else None
    parser.add_argument(
        flag.name,
        dest=destination,
        metavar=metavar or _METAVARS[flag.kind],
        type=_PARSERS[flag.kind],
        choices=flag.choices if flag.kind == "enum" else None,
        help=text,
    )


def _destination(flag: Flag) -> str:
    # A server and a model setting may share a name, such as providers.
    return f"{flag.scope}.{flag.field}"


_PARSERS: dict[str, Callable[[str], object]] = {
    "int": parse_int,
    "duration_ms": parse_duration_ms,
    "string": str,
    "string_list": parse_list,
    "enum": str,
}
_METAVARS = {"int": "N", "duration_ms": "TIME", "string": "TEXT", "string_list": "A,B"}
