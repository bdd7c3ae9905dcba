"""penstock.config: settings from flags and files, and the messages about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock._options import Execution, ModelOptions, ServerOptions
from penstock.config import (
    ModelSettings,
    check_together,
    load_model_settings,
    make_model_options,
    make_server_options,
)
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
        ({"providers": ["tpu"]}, r"providers\[0\]: .*'cpu'.*got 'tpu'"),
        ({"providers": []}, "providers: .*at least 1"),
        ({"prot": 1}, "prot: unknown setting; known are .*grpc_port"),
        ({"max_inflight_bytes": 1 << 20}, "max_inflight_bytes: 1048576 is less than"),
        ({"http_port": 8000, "no_http": True}, "http_port: 8000 is asked for, and no_http"),
        ({"max_connections": 0}, "max_connections: .*equal to 1, got 0"),
        ({"body_timeout_ms": 1.5}, "body_timeout_ms: .*integer.*got 1.5"),
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
    options = load_model_settings(path, {"max_batch_size": 4, "execution": "pool"}).options
    assert options.max_batch_size == 8
    assert options.execution is Execution.POOL
    assert options.providers == ("cpu",)


def test_model_options_no_file_are_the_flags() -> None:
    assert load_model_settings(None, {"max_batch_size": 4}).options == make_model_options(
        {"max_batch_size": 4}
    )


def test_model_options_empty_file_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("# nothing\n")
    assert load_model_settings(path, {}) == ModelSettings(options=ModelOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch: 8", "max_batch: unknown setting"),
        ("max_batch_size: many", "max_batch_size: .*got 'many'"),
        ("max_batch_size: -1", "max_batch_size: .*equal to 0, got -1"),
        ("max_batch_size: 65537", "max_batch_size: .*equal to 65536, got 65537"),
        ("max_queue_size: 0", "max_queue_size: .*equal to 1, got 0"),
        ("intra_op_threads: 0", "intra_op_threads: .*equal to 1, got 0"),
        ("instance_count: true", "instance_count: .*integer, got True"),
        ("default_priority: 9", "default_priority: .*equal to 8, got 9"),
        ("max_queue_delay_us: 1ms", "max_queue_delay_us: .*integer, got '1ms'"),
        ("execution:\n  mode: pool", "execution: .*'inline'.*got {'mode': 'pool'}"),
        ("grpc_port: 8001", "grpc_port: unknown setting"),
        ("max_batch_size: 4\nmax_batch_size: 8", "max_batch_size: stands 2 times"),
        (
            "execution: inline\ninstance_count: 2",
            "instance_count: 2 is for compute threads, and execution is inline",
        ),
        (
            "execution: inline\nmax_queue_delay_us: 5",
            "max_queue_delay_us: 5 lets batches wait, and execution is inline",
        ),
        (
            "max_queue_delay_us: 2001\ndefault_timeout_ms: 2",
            "max_queue_delay_us: 2001 is longer than default_timeout_ms, 2 ms",
        ),
        (
            "max_queue_delay_us: 500001",
            "max_queue_delay_us: 500001 is longer than queue_delay_target_ms, 500 ms",
        ),
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
        load_model_settings(path, {})
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "values",
    [
        {"max_queue_delay_us": 2000, "default_timeout_ms": 2},
        {"max_queue_delay_us": 600_000, "queue_delay_target_ms": 0},
        {"execution": "inline", "max_batch_size": 1},
        {"execution": "pool", "instance_count": 2, "max_queue_delay_us": 5},
    ],
)
def test_model_options_at_the_limits_are_taken(values: dict[str, object]) -> None:
    assert make_model_options(values).model_dump(include=set(values)) == values


def test_model_options_that_contradict_a_flag_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("execution: inline\n")
    with pytest.raises(ConfigError, match=r"model\.yaml: max_queue_delay_us: 5 lets batches wait"):
        load_model_settings(path, {"max_queue_delay_us": 5})


def test_settings_of_server_and_model_are_checked_together() -> None:
    model = make_model_options({"instance_count": 3})
    check_together(make_server_options({"compute_threads": 3}), model)
    check_together(make_server_options({}), model)
    with pytest.raises(ConfigError, match=r"^m.yaml: instance_count: 3 batches .*, 2; at most"):
        check_together(make_server_options({"compute_threads": 2}), model, "m.yaml: ")


def test_model_options_binary_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_model_settings(path, {})
