"""`penstock models`, `infer` and `doctor` as an operator runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from penstock.commands.infer import read_inputs
from penstock_client import TensorMetadata
from support import infer, ragged_models

TIMEOUT_S = 60.0
HIDE_CLIENT = "import sys; sys.modules['penstock_client'] = None; "


def penstock(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    program = f"{before}from penstock.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {program}", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def run(*arguments: object) -> str:
    done = penstock(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def served(start_shared_server: Any) -> Any:
    return start_shared_server("mlp", "time_major", "identity_bytes", "identity_bf16")


def test_models_path_and_address_tell_the_same(served: Any, test_models: Path) -> None:
    paths = [test_models / f"{name}.onnx" for name in ("mlp", "time_major")]
    local = json.loads(run("models", *paths, "--json"))["models"]
    remote = json.loads(run("models", served.address, "--json"))["models"]
    assert [model["name"] for model in remote] == [
        "mlp",
        "time_major",
        "identity_bytes",
        "identity_bf16",
    ]
    measured = {"l1_us", "lmax_us", "max_batch_size", "execution_reason"}
    for mine, theirs in zip(local, remote, strict=False):
        for key in set(mine) - measured:
            assert mine[key] == theirs[key], key
    assert remote[0]["l1_us"] > 0
    assert local[0]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 64]}]


def test_models_table_says_why_a_model_is_not_batched(served: Any) -> None:
    text = run("models", served.address, "--model", "time_major")
    assert text.startswith("MODEL")
    assert "not batched: row 1 of output 'y' differs" in text
    assert "mlp" not in text


def test_models_table_tells_which_inputs_differ_in_length(
    start_server: Any, tmp_path: Path
) -> None:
    model = ragged_models.save_masked(tmp_path / "masked.onnx")
    model.with_suffix(".yaml").write_text("ragged: [{input: ids, mask: mask}]\n")
    for target in (model, start_server(str(model)).address):
        [line] = [line for line in run("models", target).splitlines() if "    ragged: " in line]
        assert "ids" in line


def test_models_unknown_model_and_nobody_there_are_errors(served: Any, tmp_path: Path) -> None:
    done = penstock("models", served.address, "--model", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no model 'none' is there" in done.stderr
    done = penstock("models", "127.0.0.1:1", "--timeout", "2s")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    done = penstock("models", tmp_path / "none.onnx")
    assert done.returncode == 1
    assert "no such file" in done.stderr


@pytest.mark.parametrize("kind", ["npy", "json_file", "json"])
def test_infer_every_form_of_input_gets_the_answer(
    served: Any, test_models: Path, tmp_path: Path, kind: str
) -> None:
    x = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)
    value = json.dumps(x.tolist())
    if kind == "npy":
        np.save(tmp_path / "x.npy", x)
        value = f"@{tmp_path / 'x.npy'}"
    elif kind == "json_file":
        (tmp_path / "x.json").write_text(value)
        value = f"@{tmp_path / 'x.json'}"
    text = run("infer", "mlp", "--address", served.address, "--input", f"x={value}", "--json")
    answer = json.loads(text)
    [y] = answer["outputs"]
    assert (answer["model_name"], y["datatype"], y["shape"]) == ("mlp", "FP32", [2, 10])
    expected = infer.run_reference(test_models / "mlp.onnx", {"x": x})["y"]
    np.testing.assert_allclose(y["data"], expected.ravel(), rtol=1e-4, atol=1e-5)


def test_infer_saved_output_is_the_array(served: Any, tmp_path: Path) -> None:
    x = np.ones((1, 64), np.float32)
    np.save(tmp_path / "x.npy", x)
    address = ("--address", served.address)
    out = tmp_path / "out"
    given = f"x=@{tmp_path / 'x.npy'}"
    assert run("infer", "mlp", *address, "--input", given, "--save", out) == f"{out / 'y.npy'}\n"
    assert np.load(out / "y.npy").shape == (1, 10)
    readable = run("infer", "mlp", *address, "--input", given, "--output", "y")
    assert readable.startswith("y FP32 [1,10]\n[[")


def test_infer_strings_travel_as_bytes(served: Any) -> None:
    address = ("--address", served.address, "--json")
    text = run("infer", "identity_bytes", *address, "--input", 'x=[["caf\u00e9", "", "b"]]')
    assert json.loads(text)["outputs"][0]["data"] == ["caf\u00e9", "", "b"]


def test_infer_a_picture_and_a_text_are_the_element_of_a_bytes_input(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    for text, expected in (
        ("caf\u00e9, 1 o'clock", "caf\u00e9, 1 o'clock".encode()),
        ("5", b"5"),
        ("", b""),
        (f"@{tmp_path / 'picture.png'}", b"\x89PNG"),
    ):
        declared = TensorMetadata(name="x", datatype="BYTES", shape=(-1,))
        [array] = read_inputs([("x", text)], [declared]).values()
        assert array.tolist() == [expected]


def test_infer_bf16_from_json(served: Any) -> None:
    address = ("--address", served.address, "--json")
    text = run("infer", "identity_bf16", *address, "--input", "x=[[1, 2.5, -3]]")
    assert json.loads(text)["outputs"][0]["data"] == [1.0, 2.5, -3.0]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "--input is missing for x"),
        (["z=[1]"], "--input z: the model takes x"),
        (["x=[1", "x=[1]"], "is no JSON of FP32 values"),
        (["x=[[1,2]]"], "shape [1,2], the model takes [-1,64]"),
        (["x=@/nothing.npy"], "No such file"),
        (["x=@/etc/hostname"], "a .npy or .json file is needed for FP32"),
    ],
)
def test_infer_wrong_input_is_one_sentence(served: Any, inputs: list[str], words: str) -> None:
    flags = [word for given in inputs for word in ("--input", given)]
    done = penstock("infer", "mlp", "--address", served.address, *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_infer_without_the_client_says_how_to_get_it() -> None:
    done = penstock("infer", "mlp", before=HIDE_CLIENT)
    assert done.returncode == 1
    assert "pip install 'penstock[client]'" in done.stderr


def test_doctor_here_all_that_is_needed_is_there() -> None:
    findings = {each["name"]: each for each in json.loads(run("doctor", "--json"))["findings"]}
    assert findings["provider cpu"]["state"] == "ok"
    assert findings["onnxruntime"]["found"].startswith("/")
    assert float(findings["cores granted"]["found"]) > 0
    assert all(each["state"] != "missing" for each in findings.values())
    assert "runs a model" in run("doctor")


def test_doctor_without_onnxruntime_fails_and_says_what_to_install() -> None:
    hidden = "import penstock._ort; penstock._ort.installed = lambda *_: None; "
    done = penstock("doctor", before=hidden)
    assert done.returncode == 1
    assert "missing  onnxruntime" in done.stdout
    assert "pip install penstock[cpu]" in done.stdout
