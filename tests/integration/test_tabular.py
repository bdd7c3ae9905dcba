"""Tables: examples/tabular as its README says, `penstock export-preprocessing`, and rows that do
not belong into a table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pandas
import pytest
import tritonclient.grpc
import yaml
from penstock import Engine, cli
from penstock.preprocess import Pipeline
from penstock_client import TensorMetadata
from penstock_client.wire import from_columns
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support import infer
from support.raw_http2 import RawHttp2, ask_at_once

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tabular"
MODELS = EXAMPLE / "models"
TIMEOUT_S = 120.0
SEED = 20261121
OK, INVALID_ARGUMENT = 0, 3

Penstock = Callable[..., "Done"]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def held_out(folder: Path = EXAMPLE) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = json.loads((folder / "held_out.json").read_text("utf-8"))
    return samples


def preprocessing() -> Any:
    return yaml.safe_load((MODELS / "diabetes" / "model.yaml").read_text("utf-8"))["preprocessing"]


def tensors(samples: list[dict[str, Any]]) -> infer.Arrays:
    """A tensor for each column, as unmodified clients send them."""
    columns = preprocessing()[0]["steps"][0]["columns"]["inputs"]
    declared = [
        TensorMetadata(name=name, datatype=datatype, shape=(-1,))
        for name, datatype in columns.items()
    ]
    made: infer.Arrays = from_columns([sample["row"] for sample in samples], declared)
    for name, value in made.items():
        if value.dtype == object:
            made[name] = np.array([text.encode() for text in value], object)
    return made


def one_row(inputs: infer.Arrays, index: int) -> infer.Arrays:
    return {name: value[index : index + 1] for name, value in inputs.items()}


@pytest.fixture(scope="module")
def served(start_shared_server: Any) -> Any:
    return start_shared_server(MODELS, flags=["--max-batch-size", "64"])


def test_example_sends_rows_and_gets_what_scikit_learn_predicts(served: Any) -> None:
    done = run(EXAMPLE / "send.py", "--address", served.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("20 rows, at most ")


def test_triton_client_sees_the_columns_and_infers(served: Any) -> None:
    inputs = tensors(held_out())
    with tritonclient.grpc.InferenceServerClient(served.address) as client:
        metadata = client.get_model_metadata("diabetes")
        declared = {
            tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in metadata.inputs
        }
        assert declared["sex"] == ("BYTES", [-1])
        assert declared["age"] == ("FP64", [-1])
        assert declared["hypertensive"] == ("BOOL", [-1])
        given = []
        for name, value in inputs.items():
            given.append(tritonclient.grpc.InferInput(name, value.shape, declared[name][0]))
            given[-1].set_data_from_numpy(value)
        seen = client.infer("diabetes", given).as_numpy("probabilities")
    expected = [sample["probability"] for sample in held_out()]
    np.testing.assert_allclose(seen[:, 1], expected, rtol=0, atol=1e-5)


def test_in_process_pipeline_and_onnxruntime_answer_the_same(served: Any) -> None:
    inputs = tensors(held_out())
    features = Pipeline(preprocessing())(inputs)
    session = onnxruntime.InferenceSession(MODELS / "diabetes" / "1" / "model.onnx")
    (expected,) = session.run(["probabilities"], features)
    with Engine(MODELS) as engine:
        np.testing.assert_array_equal(engine.infer("diabetes", inputs)["probabilities"], expected)
        frame = pandas.DataFrame([sample["row"] for sample in held_out()])
        np.testing.assert_array_equal(engine.infer("diabetes", frame)["probabilities"], expected)


def test_example_trained_again_answers_what_it_wrote_down(tmp_path: Path) -> None:
    done = run("-W", "error", EXAMPLE / "train.py", tmp_path)
    assert done.returncode == 0, done.stderr
    samples = held_out(tmp_path)
    with Engine(tmp_path / "models") as engine:
        seen = engine.infer("diabetes", tensors(samples))["probabilities"]
    expected = [sample["probability"] for sample in samples]
    np.testing.assert_allclose(seen[:, 1], expected, rtol=0, atol=1e-5)


def bad_rows(good: infer.Arrays) -> dict[str, tuple[infer.Arrays, str]]:
    """Rows that are refused, each with a part of what is said."""
    return {
        "unknown category": (
            {**good, "sex": np.array([b"\xff\x00?"], object)},
            "row 0: column 'sex' is '???', none of its 2 categories",
        ),
        "missing number": (
            {**good, "age": np.array([np.nan])},
            "row 0: column 'age' is NaN (missing), and nothing takes its place",
        ),
        "another datatype": ({**good, "age": np.array([65], np.int64)}, "'age'"),
        "text for a number": ({**good, "bmi": np.array([b"31.3"], object)}, "'bmi'"),
        "another length": ({**good, "bmi": np.array([31.3, 25.0])}, "'bmi'"),
        "a column too few": ({k: v for k, v in good.items() if k != "ltg"}, "'ltg'"),
        "a column too many": ({**good, "income": np.array([1.0])}, "'income'"),
        "two dimensions": ({**good, "age": np.array([[65.0]])}, "'age'"),
    }


@pytest.mark.parametrize("execution", ["inline", "pool"])
def test_bad_row_is_refused_and_its_batch_mates_are_not(start_server: Any, execution: str) -> None:
    server = start_server(MODELS, flags=["--execution", execution, "--max-batch-size", "64"])
    samples = held_out()
    inputs = tensors(samples)
    random = np.random.default_rng(SEED)
    with RawHttp2(server.address) as raw:
        raw.barrier()
        for kind, (bad, message) in bad_rows(one_row(inputs, 0)).items():
            requests = [one_row(inputs, index) for index in range(len(samples))]
            place = int(random.integers(len(samples)))
            requests[place] = bad
            answers = ask_at_once(raw, [infer.make_request("diabetes", one) for one in requests])
            refused = answers[place]
            assert refused.status == INVALID_ARGUMENT, (kind, refused)
            assert message in refused.message, (kind, refused.message)
            for index, answer in enumerate(answers):
                if index == place:
                    continue
                assert answer.status == OK, (kind, answer)
                got = infer.arrays_of(infer.parse_response(answer.data))["probabilities"]
                expected = samples[index]["probability"]
                np.testing.assert_allclose(got[0, 1], expected, rtol=0, atol=1e-5)


def test_ten_megabytes_of_text_are_a_category_like_any_other(served: Any) -> None:
    good = one_row(tensors(held_out()), 0)
    large = np.array([b"x" * 10_000_000], object)
    with tritonclient.grpc.InferenceServerClient(served.address) as client:

        def ask(**changed: Any) -> Any:
            given = []
            for name, value in {**good, **changed}.items():
                datatype = {"O": "BYTES", "b": "BOOL"}.get(value.dtype.kind, "FP64")
                given.append(tritonclient.grpc.InferInput(name, value.shape, datatype))
                given[-1].set_data_from_numpy(value)
            return client.infer("diabetes", given).as_numpy("probabilities")

        # Unknown regions count as none.
        np.testing.assert_array_equal(
            ask(region=large), ask(region=np.array([b"Atlantis"], object))
        )
        with pytest.raises(tritonclient.grpc.InferenceServerException) as raised:
            ask(sex=large)
    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert len(raised.value.message()) < 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """penstock(arguments): the command in this process, which has scikit-learn loaded."""

    def run_here(*arguments: object) -> Done:
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Done(returncode=code, stdout=out, stderr=err)

    return run_here


def dumped(folder: Path, fitted: Any) -> Path:
    path = folder / "pipeline.joblib"
    joblib.dump(fitted, path)
    return path


def test_export_writes_a_model_that_predicts_the_same(tmp_path: Path, penstock: Penstock) -> None:
    random = np.random.default_rng(SEED)
    data = random.normal(size=(200, 4))
    fitted = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=5))
    fitted.fit(data, data[:, 0] * data[:, 1])
    model = tmp_path / "trees.onnx"
    arguments = ["--onnx", model, "--to", "row", "--output", model.with_suffix(".yaml")]
    done = penstock("export-preprocessing", dumped(tmp_path, fitted), *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Engine(model) as engine:
        (seen,) = engine.infer("trees", {"x": data}).values()
    np.testing.assert_allclose(seen[:, 0], fitted.predict(data), rtol=1e-5, atol=1e-5)
    again = penstock("export-preprocessing", dumped(tmp_path, fitted), *arguments)
    assert again.returncode == 1
    assert "trees.yaml: is there already; remove it or name another file" in again.stderr


def test_export_to_standard_output_says_what_it_leaves_out(
    tmp_path: Path, penstock: Penstock
) -> None:
    data = np.arange(12.0).reshape(6, 2)
    fitted = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=2))
    path = dumped(tmp_path, fitted.fit(data, data[:, 0]))
    done = penstock("export-preprocessing", path, "--numbers", "FP32")
    assert done.returncode == 0
    assert done.stdout.startswith("preprocessing:\n- from: [x]\n  to: features\n")
    assert "datatype: FP32" in done.stdout
    assert "the estimator at the end, GradientBoostingRegressor, is left out" in done.stderr


def test_export_of_what_has_no_equal_names_it_and_writes_nothing(
    tmp_path: Path, penstock: Penstock
) -> None:
    fitted = make_pipeline(StandardScaler(), PolynomialFeatures()).fit(np.arange(6.0)[:, None])
    output = tmp_path / "model.yaml"
    done = penstock("export-preprocessing", dumped(tmp_path, fitted), "--output", output)
    assert done.returncode == 1
    assert "transformer.polynomialfeatures: PolynomialFeatures has no step" in done.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"not a pickle", "cannot be read: ")]
)
def test_export_of_no_pickle_is_one_sentence(
    tmp_path: Path, penstock: Penstock, content: bytes | None, message: str
) -> None:
    path = tmp_path / "pipeline.pkl"
    if content is not None:
        path.write_bytes(content)
    done = penstock("export-preprocessing", path)
    assert done.returncode == 1
    assert message in done.stderr


def test_export_without_estimator_has_no_onnx(tmp_path: Path, penstock: Penstock) -> None:
    path = dumped(tmp_path, StandardScaler().fit(np.arange(6.0)[:, None]))
    done = penstock("export-preprocessing", path, "--onnx", tmp_path / "model.onnx")
    assert done.returncode == 1
    assert "--onnx: the pipeline does not end in an estimator" in done.stderr
