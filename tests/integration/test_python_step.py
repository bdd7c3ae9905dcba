"""A step of Python's own, before and behind a model, in the server and in process."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from penstock import Engine
from penstock.errors import ConfigError, InferError, InvalidRequestError
from penstock.preprocess import Pipeline
from support.waiting import wait_until
from tritonclient.utils import InferenceServerException

TIMEOUT_S = 30.0

STEPS = '''
import os
import threading
import time

import numpy as np
from penstock.errors import InvalidRequestError

threads = set()


def parse(texts, factor):
    """Each text is "1,2,3"; a row fails by what it says, or waits for a file."""
    threads.add(threading.current_thread().name)
    assert texts.shape == (len(texts),)
    made = []
    for row, text in enumerate(texts):
        if text.startswith(b"wait for "):
            open(text[9:] + b".awaited", "w").close()
            while not os.path.exists(text[9:]):
                time.sleep(0.005)
            text = b"0,0,0,0"
        if text == b"bug":
            raise ValueError("/secret/path: " + text.decode())
        if text == b"bad":
            raise InvalidRequestError(f"row {row}: no numbers")
        if text == b"narrow":
            return np.zeros((len(texts), 3), np.float32)
        if text == b"wide":
            return np.zeros((len(texts), 4), np.float64)
        made.append([float(part) for part in text.split(b",")])
    return np.array(made, np.float32) * factor[:, None]


def say(total, product):
    assert total.shape == product.shape
    texts = np.array([str(row.tolist()).encode() for row in total], object)
    return texts, (product > 0).sum(axis=1)
'''

# two_by_two: a, b [-1,4] to sum and product.
MODEL_YAML = """
max_batch_size: 8
preprocessing:
  - from: [text, factor]
    to: a
    steps:
      - python:
          function: steps:parse
          inputs: [{datatype: BYTES}, {datatype: FP32}]
          outputs: [{datatype: FP32, shape: [4]}]
          timeout_ms: 60000
postprocessing:
  - from: [sum, product]
    to: [said, positive]
    steps:
      - python:
          function: steps:say
          outputs: [{datatype: BYTES}, {datatype: INT64}]
"""


def add_model(folder: Path, model: Path, settings: str = MODEL_YAML) -> Path:
    version = folder / "models" / "stepped" / "1"
    version.mkdir(parents=True)
    shutil.copy(model, version / "model.onnx")
    (version.parent / "model.yaml").write_text(settings)
    (version.parent / "steps.py").write_text(STEPS)
    return folder / "models"


@pytest.fixture(scope="module")
def repository(test_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_model(tmp_path_factory.mktemp("python"), test_models / "two_by_two.onnx")


@pytest.fixture(scope="module")
def server(start_shared_server: Any, repository: Path) -> Any:
    return start_shared_server(repository, flags=["--http-port", "0"])


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    with triton.InferenceServerClient(server.address) as made:
        yield made


def inputs(*texts: bytes, factor: float = 2.0) -> list[Any]:
    count = len(texts)
    arrays = {
        "text": (np.array(texts, object), "BYTES"),
        "factor": (np.full(count, factor, np.float32), "FP32"),
        "b": (np.ones((count, 4), np.float32), "FP32"),
    }
    made = []
    for name, (array, datatype) in arrays.items():
        made.append(triton.InferInput(name, list(array.shape), datatype))
        made[-1].set_data_from_numpy(array)
    return made


def logged_soon(server: Any, text: str) -> None:
    """A client is answered before the log is written."""
    wait_until(lambda: text in server.log, lambda: server.log)


def status_of(client: Any, *texts: bytes) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        client.infer("stepped", inputs(*texts), client_timeout=TIMEOUT_S)
    return caught.value.status().removeprefix("StatusCode."), caught.value.message()


def test_before_and_behind_the_model(client: Any) -> None:
    result = client.infer("stepped", inputs(b"1,2,3,4", b"-1,0,0,5"), client_timeout=TIMEOUT_S)
    assert list(result.as_numpy("said")) == [b"[3.0, 5.0, 7.0, 9.0]", b"[-1.0, 1.0, 1.0, 11.0]"]
    np.testing.assert_array_equal(result.as_numpy("positive"), [4, 1])


def test_metadata_names_what_the_functions_take_and_make(client: Any) -> None:
    metadata = client.get_model_metadata("stepped", client_timeout=TIMEOUT_S)
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [
        ("text", "BYTES", [-1]),
        ("factor", "FP32", [-1]),
        ("b", "FP32", [-1, 4]),
    ]
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.outputs] == [
        ("said", "BYTES", [-1]),
        ("positive", "INT64", [-1]),
    ]


def test_refusal_of_a_row_reaches_its_client(client: Any) -> None:
    code, message = status_of(client, b"1,2,3,4", b"bad")
    assert code == "INVALID_ARGUMENT"
    assert message == "row 1: no numbers"


def test_bug_is_internal_and_its_traceback_the_operators(client: Any, server: Any) -> None:
    code, message = status_of(client, b"bug")
    assert code == "INTERNAL"
    assert message == "a Python step of the model raised ValueError"
    logged_soon(server, "ValueError: /secret/path: bug")
    assert "steps:parse" in server.log


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"narrow", "output 0 is FP32 [1,3], and declared as FP32 [1,4]"),
        (b"wide", "output 0 is FP64 [1,4], and declared as FP32 [1,4]"),
    ],
)
def test_wrong_array_is_internal_and_logged(
    client: Any, server: Any, text: bytes, fault: str
) -> None:
    code, message = status_of(client, text)
    assert code == "INTERNAL"
    assert message == "a Python step of the model returned what it does not declare"
    logged_soon(server, f"the Python step steps:parse: {fault}")


def test_deadline_does_not_wait_for_the_function(client: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with pytest.raises(InferenceServerException) as caught:
        client.infer("stepped", inputs(b"wait for " + bytes(gate)), client_timeout=0.5)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    gate.touch()
    # And it serves on.
    client.infer("stepped", inputs(b"1,2,3,4"), client_timeout=TIMEOUT_S)


def test_metrics_tell_its_cost(client: Any, server: Any) -> None:
    client.infer("stepped", inputs(b"1,2,3,4"), client_timeout=TIMEOUT_S)
    with urllib.request.urlopen(
        f"http://{server.http_address}/metrics", timeout=TIMEOUT_S
    ) as answer:
        lines = answer.read().decode().splitlines()
    values = {
        line.partition("{")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("penstock_model_python_")
    }
    assert values["penstock_model_python_calls_total"] >= 2
    assert values["penstock_model_python_seconds_total"] > 0


def test_engine_and_pipeline_use_the_same_function(repository: Path) -> None:
    sent = {"text": np.array([b"1,2,3,4"], object), "factor": np.array([3], np.float32)}
    chains = [
        {
            "from": ["text", "factor"],
            "to": "a",
            "steps": [
                {
                    "python": {
                        "function": "steps:parse",
                        "inputs": [{"datatype": "BYTES"}, {"datatype": "FP32"}],
                        "outputs": [{"datatype": "FP32", "shape": [4]}],
                    }
                }
            ],
        }
    ]
    pipeline = Pipeline(chains, folder=repository / "stepped")
    np.testing.assert_array_equal(pipeline(sent)["a"], [[3, 6, 9, 12]])
    with pytest.raises(InvalidRequestError, match="row 0: no numbers"):
        pipeline({**sent, "text": np.array([b"bad"], object)})
    with pytest.raises(InferError, match="raised ValueError"):
        pipeline({**sent, "text": np.array([b"bug"], object)})
    with Engine(repository) as engine:
        answer = engine.infer("stepped", {**sent, "b": np.zeros((1, 4), np.float32)})
    assert list(answer["said"]) == [b"[3.0, 6.0, 9.0, 12.0]"]
    module = next(kept for name, kept in sys.modules.items() if name.endswith("stepped/steps.py"))
    assert module.threads == {"penstock-python"}


def test_stop_does_not_wait_for_a_function_that_never_ends(
    start_server: Any, test_models: Path, tmp_path: Path
) -> None:
    repository = add_model(tmp_path, test_models / "two_by_two.onnx")
    running = start_server(repository, flags=["--drain-timeout", "200ms"])
    never = inputs(b"wait for " + bytes(tmp_path / "never"))
    ended = threading.Event()
    with triton.InferenceServerClient(running.address) as client:
        call = client.async_infer("stepped", never, lambda result, error: ended.set())
        wait_until((tmp_path / "never.awaited").exists, lambda: running.log)
        call.cancel()
        assert ended.wait(TIMEOUT_S)
    # The call is over, but its batch still runs: that is what this exit code says.
    assert running.stop() == 1
    assert "drain timed out" in running.log


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"function": "steps"}, "steps[0].python.function: expected module:function"),
        ({"function": "none:f"}, "steps[0].python.function: none: cannot be imported"),
        ({"function": "steps:none"}, "steps[0].python.function: steps: has no function 'none'"),
        ({"outputs": []}, "steps[0].python.outputs: "),
        ({"outputs": [{"datatype": "FLOAT"}]}, "outputs[0].datatype: 'FLOAT': expected one of"),
        ({"outputs": [{"datatype": "BF16"}]}, "outputs[0].datatype: 'BF16': expected one of"),
        ({"timeout_ms": 0}, "steps[0].python.timeout_ms: "),
    ],
)
def test_what_cannot_be_is_refused_with_its_path(
    repository: Path, step: dict[str, object], says: str
) -> None:
    whole = {"function": "steps:parse", "outputs": [{"datatype": "FP32"}], **step}
    chain = {"from": "a", "to": "b", "steps": [{"python": whole}]}
    with pytest.raises(ConfigError) as caught:
        Pipeline([chain], folder=repository / "stepped")
    assert says in str(caught.value)


def test_step_before_a_model_says_what_it_takes(test_models: Path, tmp_path: Path) -> None:
    settings = MODEL_YAML.replace("inputs: [{datatype: BYTES}, {datatype: FP32}]\n", "\n")
    repository = add_model(tmp_path, test_models / "two_by_two.onnx", settings)
    command = [sys.executable, "-m", "penstock", "serve", "--grpc-port", "0", "--no-http"]
    ended = subprocess.run(
        [*command, repository], capture_output=True, text=True, timeout=TIMEOUT_S * 2, check=False
    )
    assert ended.returncode != 0
    assert "preprocessing[0].steps[0].python.inputs: before a model" in ended.stderr
