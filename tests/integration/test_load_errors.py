"""Models that cannot be loaded: `penstock serve` ends with one sentence that says what to do.

Each model is made on the spot with onnx.helper. What the messages may name here, paths, is for the
operator; no client is there yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from penstock._installed import installed
from support import infer, protos

IR_VERSION = 10
OPSET = 21
WEIGHTS = np.array([[1, 2, 3]], np.float32)


def save(path: Path, node: onnx.NodeProto, *, opsets: Any = (), **options: Any) -> Path:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 3]) for name in "xy")
    graph = helper.make_graph([node], "graph", [x], [y], options.pop("weights", []))
    opsets = opsets or [("", OPSET)]
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    options = {"ir_version": IR_VERSION, **options}
    model = helper.make_model(graph, opset_imports=imports, **options)
    path.write_bytes(model.SerializeToString())
    return path


def external_weights(**entries: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=WEIGHTS.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.mark.parametrize(
    ("node", "options", "says"),
    [
        (
            helper.make_node("Frobnicate", ["x"], ["y"], domain="my.domain"),
            {"opsets": [("", OPSET), ("my.domain", 1)]},
            ["custom operator 'Frobnicate' of domain 'my.domain'", "export the model"],
        ),
        (
            helper.make_node("Frobnicate", ["x"], ["y"]),
            {},
            ["operator 'Frobnicate'", f"opset {OPSET}"],
        ),
        (
            helper.make_node("Relu", ["x"], ["y"]),
            {"opsets": [("", 99)]},
            ["opset 99 of domain 'ai.onnx'", "install a newer onnxruntime"],
        ),
        (
            helper.make_node("Relu", ["x"], ["y"]),
            {"ir_version": 99},
            ["IR version 99", "install a newer onnxruntime"],
        ),
        (helper.make_node("Relu", ["nothing"], ["y"]), {}, ["'nothing'"]),
    ],
    ids=["custom-operator", "unknown-operator", "opset", "ir-version", "graph"],
)
def test_model_that_the_engine_cannot_take(
    run_serve: Any, tmp_path: Path, node: onnx.NodeProto, options: Any, says: list[str]
) -> None:
    path = save(tmp_path / "model.onnx", node, **options)
    run_serve(path, says=[str(path), *says])


@pytest.mark.skipif(
    installed("onnxruntime-gpu", None) is not None, reason="this machine has the GPU wheel"
)
@pytest.mark.parametrize(
    ("providers", "says"),
    [
        ("cuda", ["provider 'cuda'", "CPUExecutionProvider", "pip install 'penstock[gpu]'"]),
        ("openvino,cpu", ["provider 'openvino'", "pip install onnxruntime-openvino"]),
    ],
)
def test_provider_that_is_not_there_is_no_fallback(
    run_serve: Any, test_models: Path, providers: str, says: list[str]
) -> None:
    run_serve(test_models / "mlp.onnx", "--providers", providers, says=says)


def test_provider_of_one_model_is_checked_as_well(
    run_serve: Any, test_models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mlp.onnx"
    path.write_bytes((test_models / "mlp.onnx").read_bytes())
    path.with_suffix(".yaml").write_text("providers: [xnnpack, cpu]\n")
    run_serve(path, says=["provider 'xnnpack'"])


def test_model_longer_than_protobuf_allows(run_serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # a hole: it takes no space
    run_serve(path, says=[str(path), str(2**31), "external data"])


ADD = helper.make_node("Add", ["x", "w"], ["y"])


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder `models` for the model, and weights inside, in a folder below and outside."""
    folder = tmp_path / "models"
    (folder / "below").mkdir(parents=True)
    for place in (tmp_path, folder, folder / "below"):
        WEIGHTS.tofile(place / "w.bin")
    (folder / "link.bin").symlink_to("../w.bin")
    return folder


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("{outside}", "absolute path"),
        ("../w.bin", "out of the model's folder"),
        ("below/../../w.bin", "out of the model's folder"),
        ("link.bin", "out of the model's folder"),
        ("none.bin", "No such file"),
        ("below", "not a regular file"),
        ("", "no path"),
    ],
)
def test_external_data_that_is_refused(
    run_serve: Any, model_folder: Path, location: str, says: str
) -> None:
    location = location.format(outside=model_folder.parent / "w.bin")
    weights = [external_weights(location=location)]
    path = save(model_folder / "model.onnx", ADD, weights=weights)
    run_serve(path, says=[str(path), f"'{location[:60]}", says])


def test_external_data_that_is_cut_short(run_serve: Any, model_folder: Path) -> None:
    weights = [external_weights(location="w.bin", offset="4")]
    path = save(model_folder / "model.onnx", ADD, weights=weights)
    run_serve(path, says=[str(path), "weights 'w'", "beyond the end"])


@pytest.mark.parametrize("location", ["w.bin", "below/w.bin"])
def test_external_data_in_the_folder_is_served(
    start_server: Any, connect: Any, model_folder: Path, location: str
) -> None:
    weights = [external_weights(location=location)]
    path = save(model_folder / "model.onnx", ADD, weights=weights)
    channel = connect(start_server(path).address)
    request = infer.make_request("model", {"x": np.ones((1, 3), np.float32)})
    response = protos.unary_stub(channel, "ModelInfer")(request, timeout=60)
    assert infer.arrays_of(response)["y"].tolist() == [[2, 3, 4]]
