"""Which models and settings `penstock serve` takes, and how it says what it does not take."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import sysconfig
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import penstock
import pytest
from support import infer, made_models, protos
from support.waiting import wait_until

TIMEOUT_S = 60.0


@pytest.fixture
def repository(tmp_path: Path, test_models: Path) -> Path:
    """`doubler` in three versions; only 10 doubles."""
    folder = tmp_path / "repository"
    for version in (1, 2, 10):
        (folder / "doubler" / str(version)).mkdir(parents=True)
    for version in (1, 2):
        identity = (test_models / "identity_fp32.onnx").read_bytes()
        (folder / f"doubler/{version}/model.onnx").write_bytes(identity)
    made_models.save_add(folder / "doubler/10/model.onnx", onnx.TensorProto.FLOAT)
    return folder


def ask_doubler(channel: grpc.Channel, rows: int, **fields: Any) -> Any:
    request = infer.make_request("doubler", {"x": np.ones((rows, 3), np.float32)}, **fields)
    return protos.unary_stub(channel, "ModelInfer")(request, timeout=TIMEOUT_S)


def test_repository_highest_number_is_served(
    start_server: Any, connect: Any, repository: Path
) -> None:
    channel = connect(start_server(repository).address)
    response = ask_doubler(channel, 1)
    assert response.model_version == "10"
    assert infer.arrays_of(response)["y"].tolist() == [[2, 2, 2]]
    assert ask_doubler(channel, 1, model_version="10").model_version == "10"
    with pytest.raises(grpc.RpcError) as raised:
        ask_doubler(channel, 1, model_version="2")
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert "served: 10" in raised.value.details()


def test_model_yaml_wins_over_flags(start_server: Any, connect: Any, repository: Path) -> None:
    settings = "max_batch_size: 2\nexecution: pool\n"
    (repository / "doubler/model.yaml").write_text(settings)
    server = start_server(repository, flags=["--max-batch-size", "8", "--execution", "inline"])
    channel = connect(server.address)
    assert ask_doubler(channel, 2).outputs
    with pytest.raises(grpc.RpcError) as raised:
        ask_doubler(channel, 3)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "1 to 2 (max_batch_size)" in raised.value.details()
    assert "execution=pool" in server.log


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_batchsize: 2\n", ["max_batchsize", "unknown setting", "max_batch_size"]),
        ("max_batch_size: many\n", ["max_batch_size", "'many'"]),
        ("max_batch_size: -1\n", ["max_batch_size", "-1"]),
        ("execution: gpu\n", ["execution", "'gpu'"]),
        (
            "execution: inline\ninstance_count: 2\n",
            ["instance_count: 2 is for compute threads, and execution is inline"],
        ),
        ("providers: [tpu]\n", ["providers", "'tpu'"]),
        ("- max_batch_size\n", ["expected settings"]),
        ("max_batch_size: [1\n", ["cannot be read"]),
        ("grpc_port: 1\n", ["grpc_port", "unknown setting"]),
    ],
)
def test_model_yaml_wrong_key_is_named_with_its_file(
    run_serve: Any, repository: Path, text: str, says: list[str]
) -> None:
    path = repository / "doubler/model.yaml"
    path.write_text(text)
    run_serve(repository, says=[f"{path}: ", *says])


# --- what cannot be served ---


def test_model_yaml_and_server_settings_are_checked_together(
    run_serve: Any, repository: Path
) -> None:
    path = repository / "doubler/model.yaml"
    path.write_text("instance_count: 3\n")
    says = [f"{path}: instance_count: 3 batches cannot run at once on compute_threads, 2"]
    run_serve("--compute-threads", "2", repository, says=says)


def test_threads_follow_the_cores_that_are_granted(start_server: Any) -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        server = start_server("mlp")
    finally:
        os.sched_setaffinity(0, allowed)
    pid = server.process.pid
    # A thread names itself when it first runs, which on a busy machine is after the ready line.
    wait_until(
        lambda: {"io-0", "compute-0"} <= set(thread_names(pid)),
        otherwise=lambda: thread_names(pid),
    )
    names = thread_names(pid)
    assert [name for name in names if name.startswith("io-")] == ["io-0"]
    assert [name for name in names if name.startswith("compute-")] == ["compute-0"]


def thread_names(pid: int) -> list[str]:
    """Of the threads that run now, sorted."""
    names = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            names.append((task / "comm").read_text().strip())
    return sorted(names)


def test_serve_port_in_use_names_the_address(run_serve: Any, test_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        model = test_models / "mlp.onnx"
        run_serve(model, "--grpc-port", str(port), says=[f"127.0.0.1:{port}", "in use"])


def test_serve_address_of_another_machine_is_named(run_serve: Any, test_models: Path) -> None:
    run_serve(test_models / "mlp.onnx", "--host", "192.0.2.1", says=["192.0.2.1"])


def test_serve_missing_file_is_named(run_serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    run_serve(path, says=[f"{path}: no such file or directory"])


@pytest.mark.parametrize(
    "content", [b"", b"not a model", bytes(range(256)) * 100], ids=["empty", "text", "noise"]
)
def test_serve_corrupt_model_is_named(run_serve: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    run_serve(path, says=["broken"])


def test_serve_cut_model_is_named(run_serve: Any, test_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    whole = (test_models / "mlp.onnx").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    run_serve(path, says=["cut"])


def test_serve_one_broken_model_among_good_ones_fails(
    run_serve: Any, test_models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    run_serve(test_models / "mlp.onnx", path, says=["broken"])


@pytest.mark.parametrize("model", ["sequence_input", "zipmap_taken", "complex", "rank_nine"])
def test_serve_model_of_an_unsupported_kind_is_named(
    run_serve: Any, test_models: Path, model: str
) -> None:
    run_serve(test_models / f"{model}.onnx", says=[model])


def test_serve_empty_directory_is_named(run_serve: Any, tmp_path: Path) -> None:
    run_serve(tmp_path, says=[str(tmp_path), "<model>/<version>/model.onnx"])


def test_serve_directory_of_something_else_is_named(run_serve: Any, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/readme.txt").write_text("hello")
    run_serve(tmp_path, says=[str(tmp_path / "notes"), "no version"])


@pytest.fixture
def command_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This interpreter with everything that is installed, but for onnxruntime."""
    site = tmp_path / "site"
    site.mkdir()
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            if not entry.name.startswith("onnxruntime") and not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
    package = Path(penstock.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(package)]))
    return [sys.executable, "-S", "-m", "penstock", "serve"]


def test_serve_without_onnxruntime_says_what_to_install(
    run_serve: Any, test_models: Path, command_without_onnxruntime: list[str]
) -> None:
    model = test_models / "mlp.onnx"
    says = ["no ONNX Runtime is installed", "penstock[cpu]", "penstock[gpu]"]
    run_serve(model, command=command_without_onnxruntime, says=says)


def test_serve_with_two_onnxruntimes_names_both(
    run_serve: Any, test_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnxruntime_gpu"):
        folder = tmp_path / f"{name}-9.8.7.dist-info"
        folder.mkdir()
        project = name.replace("_", "-")
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project}\nVersion: 9.8.7\n"
        )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    says = ["two ONNX Runtimes", "onnxruntime 9.8.7", "onnxruntime-gpu 9.8.7", "pip uninstall"]
    run_serve(test_models / "mlp.onnx", says=says)
