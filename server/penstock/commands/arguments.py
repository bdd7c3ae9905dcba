"""The flags of `penstock models`, `infer` and `doctor`. Reads nothing but the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from penstock._flag_values import parse_list
from penstock.bench import flag_values

__all__ = [
    "add_doctor_arguments",
    "add_export_arguments",
    "add_infer_arguments",
    "add_models_arguments",
]

_DEFAULT_ADDRESS = "127.0.0.1:8001"

_INFER_EXAMPLES = """\
values of --input:
  x=@file.npy    a NumPy file, sent as it is
  x=@file.json   a JSON file, as nested lists, made an array of the model's datatype
  x=JSON         the same on the command line: x=[[1,2,3]]
  x=@file        any other file: its bytes as the only element of a BYTES input
  x=text         for a BYTES input: its only element

examples:
  penstock infer digits --input image=@scan.npy
  penstock infer digit_pictures --input picture=@seven.png
  penstock infer minilm --input 'text=A sentence.' --address 10.0.0.5:8001 --json
"""


def add_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Lists models: their inputs and outputs, whether requests share a run and why not, where "
        "they run and how long that takes. Models on disk are loaded and warmed up for it."
    )
    parser.add_argument(
        "targets",
        metavar="PATH|ADDRESS",
        nargs="+",
        help="an .onnx file or a model repository; or HOST:PORT of a server, alone",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        action="append",
        default=[],
        help="only this one; needed where a server does not list its models",
    )
    parser.add_argument(
        "--providers",
        metavar="A,B",
        type=parse_list,
        help="execution providers to load models on disk with; default: cpu",
    )
    _add_timeout(parser, "5s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_infer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Sends one request to a server of the Open Inference Protocol and prints the answer. Needs "
        "the client: pip install 'penstock[client]'."
    )
    parser.epilog = _INFER_EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        type=flag_values.parse_address,
        default=flag_values.parse_address(_DEFAULT_ADDRESS),
        help=f"default: {_DEFAULT_ADDRESS}",
    )
    parser.add_argument(
        "--input",
        metavar="NAME=VALUE",
        dest="inputs",
        type=flag_values.parse_named,
        action="append",
        default=[],
        help="once for each input",
    )
    parser.add_argument("--version", metavar="V", default="", help="default: the server's choice")
    parser.add_argument(
        "--output",
        metavar="NAME",
        dest="outputs",
        action="append",
        help="only this one; several times for several",
    )
    _add_timeout(parser, "60s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--save",
        metavar="FOLDER",
        help="write each output to FOLDER/NAME.npy (BYTES: NAME.json) instead of printing it",
    )


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows what Penstock finds here: ONNX Runtime and its providers, the processor, limits, "
        "packages; and what is missing, with the command that gets it. Exit code 1 where nothing "
        "can be served."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes a fitted scikit-learn transformer, or the transformers of a Pipeline that ends in "
        "an estimator, as the preprocessing of a model.yaml. What has no equal is named, and "
        "nothing is written then. Reading a pickle runs the code in it: only give it files that "
        "you trust."
    )
    parser.add_argument(
        "pipeline", metavar="PIPELINE", type=Path, help="what joblib.dump or pickle.dump wrote"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="the model.yaml to write, which must not be there; default: standard output",
    )
    parser.add_argument(
        "--onnx",
        metavar="FILE",
        type=Path,
        help="also convert the estimator to this .onnx file; needs skl2onnx",
    )
    parser.add_argument(
        "--to",
        metavar="NAME",
        default="features",
        help="the model's input that the columns become; default: %(default)s",
    )
    parser.add_argument(
        "--numbers",
        choices=("FP64", "FP32"),
        default="FP64",
        help="what clients send for columns of numbers; default: %(default)s",
    )


def _add_timeout(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        dest="timeout_s",
        type=flag_values.parse_duration_s,
        default=flag_values.parse_duration_s(default),
        help=f"for an answer of the server; default: {default}",
    )
