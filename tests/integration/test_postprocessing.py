"""What follows a model, declared in its model.yaml: through the server, and in process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from penstock import Engine
from penstock.errors import ConfigError
from penstock.preprocess import Pipeline

TIMEOUT_S = 30.0
LABELS = [f"class {index}" for index in range(10)]

MODEL_YAML = """
max_batch_size: 32
postprocessing:
  - from: y
    to: [value, index, label]
    steps: [{softmax: {}}, {top_k: {k: 3, labels: labels.txt}}]
  - from: y
    to: best
    steps: [{argmax: {}}]
  - from: x
    to: sent
    steps: [{rename: {}}]
"""


def add_model(folder: Path, model: Path, settings: str) -> Path:
    """A repository with `model` as version 1 of `classifier`."""
    version = folder / "models" / "classifier" / "1"
    version.mkdir(parents=True)
    shutil.copy(model, version / "model.onnx")
    (version.parent / "model.yaml").write_text(settings)
    (version.parent / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return folder / "models"


@pytest.fixture(scope="module")
def repository(test_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_model(tmp_path_factory.mktemp("post"), test_models / "mlp.onnx", MODEL_YAML)


@pytest.fixture(scope="module", params=["inline", "pool"])
def server(request: Any, start_shared_server: Any, repository: Path) -> Any:
    return start_shared_server(repository, flags=["--execution", request.param])


@pytest.fixture(scope="module")
def logits(test_models: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(
        test_models / "mlp.onnx", providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]  # type: ignore[no-any-return]


def rows(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(size=(count, 64)).astype(np.float32)


def assert_answers(answer: Callable[[str], Any], x: NDArray[np.float32], y: Any) -> None:
    powers = np.exp(y - y.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    order = np.argsort(-y, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(answer("index"), order)
    np.testing.assert_allclose(
        answer("value"), np.take_along_axis(shares, order, axis=1), rtol=1e-4
    )
    assert [[label.decode() for label in row] for row in answer("label")] == [
        [LABELS[index] for index in row] for row in order
    ]
    np.testing.assert_array_equal(answer("best"), y.argmax(axis=1))
    np.testing.assert_array_equal(answer("sent"), x)


@pytest.mark.parametrize("count", [1, 5])
def test_triton_client_gets_the_answers(server: Any, logits: Any, count: int) -> None:
    x = rows(count)
    sent = triton.InferInput("x", list(x.shape), "FP32")
    sent.set_data_from_numpy(x)
    with triton.InferenceServerClient(server.address) as client:
        result = client.infer("classifier", [sent], client_timeout=TIMEOUT_S)
    assert_answers(result.as_numpy, x, logits(x))


def test_metadata_names_the_answers(server: Any) -> None:
    with triton.InferenceServerClient(server.address) as client:
        metadata = client.get_model_metadata("classifier", client_timeout=TIMEOUT_S)
    assert [(out.name, out.datatype, list(out.shape)) for out in metadata.outputs] == [
        ("value", "FP32", [-1, 3]),
        ("index", "INT64", [-1, 3]),
        ("label", "BYTES", [-1, 3]),
        ("best", "INT64", [-1]),
        ("sent", "FP32", [-1, 64]),
    ]


def test_classification_of_what_steps_make(server: Any, logits: Any) -> None:
    x = rows(1)
    sent = triton.InferInput("x", [1, 64], "FP32")
    sent.set_data_from_numpy(x)
    output = triton.InferRequestedOutput("value", class_count=1)
    with triton.InferenceServerClient(server.address) as client:
        result = client.infer("classifier", [sent], outputs=[output], client_timeout=TIMEOUT_S)
    assert result.as_numpy("value")[0, 0].decode().endswith(":0")


def test_engine_gives_the_same(repository: Path, logits: Any) -> None:
    x = rows(4)
    with Engine(repository) as engine:
        answer = engine.infer("classifier", {"x": x})
    assert_answers(answer.__getitem__, x, logits(x))


def test_in_process_gives_the_same(repository: Path, logits: Any) -> None:
    x = rows(4)
    y = logits(x)
    chains = [
        {
            "from": "y",
            "to": ["value", "index", "label"],
            "steps": [{"softmax": {}}, {"top_k": {"k": 3, "labels": "labels.txt"}}],
        },
        {"from": "y", "to": "best", "steps": [{"argmax": {}}]},
        {"from": "x", "to": "sent", "steps": [{"rename": {}}]},
    ]
    pipeline = Pipeline(chains, folder=repository / "classifier")
    assert_answers(pipeline({"y": y, "x": x}).__getitem__, x, y)


def test_labels_of_an_output_are_in_its_classes(
    start_server: Any, test_models: Path, tmp_path: Path, logits: Any
) -> None:
    repository = add_model(tmp_path, test_models / "mlp.onnx", "labels: {y: labels.txt}\n")
    running = start_server(repository)
    x = rows(2)
    sent = triton.InferInput("x", [2, 64], "FP32")
    sent.set_data_from_numpy(x)
    output = triton.InferRequestedOutput("y", class_count=2)
    with triton.InferenceServerClient(running.address) as client:
        result = client.infer("classifier", [sent], outputs=[output], client_timeout=TIMEOUT_S)
    labels = [[text.decode().split(":")[2] for text in row] for row in result.as_numpy("y")]
    order = np.argsort(-logits(x), axis=1, kind="stable")[:, :2]
    assert labels == [[LABELS[index] for index in row] for row in order]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            "postprocessing: [{from: y, to: [v, i], steps: [{softmax: {}}, {top_k: {k: 11}}]}]",
            "postprocessing[0].steps[1].top_k: k is 11, and a row has 10 values",
        ),
        (
            "postprocessing: [{from: [y, x], to: e, steps: [{mean_pool: {}}]}]",
            "postprocessing[0].steps[0].mean_pool: it takes FP16, FP32 or FP64 of [tokens,values]",
        ),
        (
            "postprocessing: [{from: y, to: v, steps: [{top_k: {k: 1}}]}]",
            "postprocessing[0].to: names 1 tensor, the last step makes 2",
        ),
        (
            "labels: {y: [a, b]}",
            "labels.y: 2 labels for an output of shape [-1,10]; one for each of a row's 10 values",
        ),
        ("labels: {z: [a]}", "labels: the model has no output 'z'; it gives '"),
        (
            "postprocessing: [{from: y, to: v, steps: [{labels: {labels: none.txt}}]}]",
            "postprocessing[0].steps[0].labels.labels: ",
        ),
        (
            "postprocessing: [{from: y, to: v, steps: [{threshold: {at: 1, labels: [a]}}]}]",
            "postprocessing[0].steps[0].threshold.labels: 1 labels; expected two",
        ),
        (
            "preprocessing: [{from: y, to: x, steps: [{softmax: {}}]}]",
            "preprocessing[0].steps[0].softmax: stands behind a model only",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused_at_load(
    test_models: Path, tmp_path: Path, settings: str, says: str
) -> None:
    repository = add_model(tmp_path, test_models / "mlp.onnx", settings + "\n")
    command = [sys.executable, "-m", "penstock", "serve", "--grpc-port", "0", "--no-http"]
    ended = subprocess.run(
        [*command, repository], capture_output=True, text=True, timeout=TIMEOUT_S * 2, check=False
    )
    assert ended.returncode != 0
    assert says in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([{"top_k": {}}], "steps[0].top_k.k: Field required"),
        ([{"top_k": {"k": 0}}], "steps[0].top_k.k: "),
        ([{"threshold": {"at": "nan"}}], "steps[0].threshold.at: "),
        ([{"softmax": {"axis": 1}}], "steps[0].softmax.axis: unknown setting; it takes none"),
        (["softmax"], "steps[0]: expected one step's name with its settings, such as "),
        (
            [{"top_k": {"k": 1, "labels": [1] * 9}}],
            "steps[0].top_k.labels[2]: Input should be a valid string, got 1; and 6 more",
        ),
        ([{"softmax": {}}, {"decode_image": {}}], "decode_image cannot stand behind softmax"),
    ],
)
def test_what_is_no_step_is_refused_with_its_path(steps: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pipeline([{"from": "y", "to": "z", "steps": steps}])
    assert says in str(caught.value)
