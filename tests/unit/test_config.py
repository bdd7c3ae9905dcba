"""penstock.config: settings from flags and files, and the messages about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock._options import Execution, ModelOptions, ServerOptions
from penstock.config import load_model_options, make_model_options, make_server_options
from penstock.errors import ConfigError
from pydantic import ValidationError


def test_server_options_nothing_given_are_the_defaults() -> None:
    options = make_server_options({})
    assert options == ServerOptions()
    assert (options.host, options.grpc_port) == ("127.0.0.1", 8001)
    assert options.providers == ("cpu",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grpc_port": 65536}, "grpc_port: .*65535, got 65536"),
        ({"grpc_port": -1}, "grpc_port: .*got -1"),
        ({"grpc_port": "8001"}, "grpc_port: .*integer, got '8001'"),
        ({"io_threads": True}, "io_threads: .*integer"),
        ({"log_level": "loud"}, "log_level: .*'debug'.*got 'loud'"),
        ({"providers": ["tpu"]}, r"providers.0: .*'cpu'.*got 'tpu'"),
        ({"providers": []}, "providers: .*at least 1"),
        ({"prot": 1}, "prot: unknown setting; known are .*grpc_port"),
        ({"max_inflight_bytes": 1 << 20}, "max_inflight_bytes: 1048576 is less than"),
    ],
)
def test_server_options_wrong_value_names_the_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_server_options(values)


def test_server_options_two_wrong_values_names_both() -> None:
    with pytest.raises(ConfigError, match=r"grpc_port: .*; io_threads: "):
        make_server_options({"grpc_port": -1, "io_threads": -1})


def test_options_assignment_raises() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ModelOptions().max_batch_size = 3  # type: ignore[misc]


def test_model_options_file_wins_over_flags(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("max_batch_size: 8\nproviders: [cpu]\n")
    options = load_model_options(path, {"max_batch_size": 4, "execution": "pool"})
    assert options.max_batch_size == 8
    assert options.execution is Execution.POOL
    assert options.providers == ("cpu",)


def test_model_options_no_file_are_the_flags() -> None:
    assert load_model_options(None, {"max_batch_size": 4}) == make_model_options(
        {"max_batch_size": 4}
    )


def test_model_options_empty_file_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("# nothing\n")
    assert load_model_options(path, {}) == ModelOptions()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch: 8", "max_batch: unknown setting"),
        ("max_batch_size: many", "max_batch_size: .*got 'many'"),
        ("- 1", "expected settings"),
        ("1: 2", "expected settings"),
        ("a: [", "cannot be read"),
        ("a: !!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_model_options_wrong_file_names_file_and_key(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_model_options(path, {})
    assert str(caught.value).startswith(f"{path}: ")


def test_model_options_binary_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_model_options(path, {})
