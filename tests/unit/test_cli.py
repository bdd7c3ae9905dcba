"""penstock.cli: exit codes, messages and flags, without a server."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import __version__, cli
from penstock._flag_values import parse_duration_ms
from penstock._flags import FLAGS

DIGITS = tuple("0123456789")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *arguments], capture_output=True, text=True, check=False
    )


def test_version_prints_it() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"penstock {__version__}\n")


def test_no_command_is_wrong_usage() -> None:
    done = run()
    assert done.returncode == 2
    assert "usage: penstock" in done.stderr


def test_help_lists_every_flag_but_hidden_ones() -> None:
    done = run("serve", "--help")
    assert done.returncode == 0
    for flag in FLAGS:
        assert (f"{flag.name} " in done.stdout) != flag.hidden, flag.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve"], "PATH"),
        (["serve", "m.onnx", "--port", "1"], "unrecognized arguments: --port"),
        (["serve", "m.onnx", "--grpc-port", "http"], "'http' is not a whole number"),
        (["serve", "m.onnx", "--grpc-port", "70000"], "grpc_port: .* 65535, got 70000"),
        (["serve", "m.onnx", "--drain-timeout", "1h"], "'1h' is not a time such as 30, 30s"),
        (["serve", "m.onnx", "--execution", "fast"], "fast"),
        (["serve", "m.onnx", "--providers", "cpu,tpu"], r"providers\[1\]: .*got 'tpu'"),
        (["serve", "m.onnx", "--max-batch-size", "65537"], "max_batch_size: .*got 65537"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(message, printed.err), printed.err


def test_missing_model_exits_with_1_and_one_line(tmp_path: Path) -> None:
    done = run("serve", str(tmp_path / "none.onnx"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"penstock: error: {tmp_path}/none.onnx: no such file or directory\n"


def test_missing_model_with_debug_shows_a_traceback(tmp_path: Path) -> None:
    done = run("serve", "--debug", str(tmp_path / "none.onnx"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("none.onnx: no such file or directory\n")


def test_serve_imports_neither_numpy_nor_grpc() -> None:
    code = (
        "import sys, penstock.cli, penstock.serve; "
        "print(sorted({'numpy', 'grpc', 'yaml', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("30", 30_000), ("30s", 30_000), ("500ms", 500), ("0", 0)]
)
def test_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@given(st.text(max_size=8).filter(lambda text: not text.isascii() or not text.startswith(DIGITS)))
def test_duration_without_number_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
        parse_duration_ms(text)


@given(st.integers(min_value=0, max_value=10**11), st.sampled_from(["", "s", "ms"]))
def test_duration_any_number_is_read(number: int, unit: str) -> None:
    assert parse_duration_ms(f"{number}{unit}") == number * (1 if unit == "ms" else 1000)
