"""Pictures as clients hold them, through the server: the answers are those of the same declaration
in process and the model in ONNX Runtime."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from penstock import Engine
from penstock.errors import InvalidRequestError
from penstock.preprocess import Pipeline
from support import infer, protos
from support.metrics import scrape
from support.picture_models import CHAIN, SIDE, save_picture_model
from support.pictures import encoded, picture
from support.png_writer import SIGNATURE, chunk, header

TIMEOUT_S = 60.0
NAMES = ("pictures", "strict", "mixed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    save_picture_model(made, preprocessing=[CHAIN], allow_raw=True)
    save_picture_model(made, "strict", preprocessing=[CHAIN])
    # Eight requests make a batch, and it waits for them.
    gathered = {"max_batch_size": 8, "max_queue_delay_us": 9_000_000, "queue_delay_target_ms": 0}
    save_picture_model(made, "gathered", preprocessing=[CHAIN], **gathered)
    mixed = {"max_batch_size": 16, "max_queue_delay_us": 100_000}
    save_picture_model(made, "mixed", preprocessing=[CHAIN], allow_raw=True, **mixed)
    return made


@pytest.fixture(scope="module")
def served(folder: Path, start_shared_server: Any) -> Any:
    flags = ["--report-batch-size", "--http-port", "0"]
    return start_shared_server(*(folder / f"{name}.onnx" for name in NAMES), flags=flags)


@pytest.fixture(scope="module")
def gathered(folder: Path, start_shared_server: Any) -> Iterator[grpc.Channel]:
    """Of a server alone: where models compete, batches are shorter."""
    server = start_shared_server(folder / "gathered.onnx", flags=["--report-batch-size"])
    with grpc.insecure_channel(server.address) as made:
        yield made


@pytest.fixture(scope="module")
def channel(served: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.address) as made:
        yield made


@pytest.fixture(scope="module")
def ask(channel: grpc.Channel) -> Any:
    """ask(model, inputs): the response."""
    stub = protos.unary_stub(channel, "ModelInfer")
    return lambda model, inputs: stub(infer.make_request(model, inputs), timeout=TIMEOUT_S)


def files(count: int, kind: str = "JPEG", seed: int = 0) -> NDArray[Any]:
    made = np.empty(count, object)
    for i in range(count):
        made[i] = encoded(picture(60 + 9 * i, 41 + 5 * i, seed=seed + i), kind)
    return made


def biases(count: int) -> NDArray[np.float32]:
    return np.arange(count, dtype=np.float32).reshape(count, 1)


def pixels_of(pictures: NDArray[Any]) -> NDArray[Any]:
    return Pipeline([CHAIN])({"image": pictures})["pixel_values"]


def check(answer: infer.Arrays, folder: Path, pictures: NDArray[Any], bias: NDArray[Any]) -> None:
    """Against the declaration in process and the model in ONNX Runtime."""
    inputs = {"pixel_values": pixels_of(pictures), "bias": bias}
    reference = infer.run_reference(folder / "pictures.onnx", inputs)
    assert list(answer) == list(reference)
    for name, values in reference.items():
        np.testing.assert_allclose(answer[name], values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("rows", [1, 5])
def test_pictures_answers_are_those_in_process(
    ask: Any, folder: Path, kind: str, rows: int
) -> None:
    pictures = files(rows, kind)
    response = ask("pictures", {"image": pictures, "bias": biases(rows)})
    check(infer.arrays_of(response), folder, pictures, biases(rows))


def test_tritonclient_sends_pictures_unmodified(served: Any, folder: Path) -> None:
    pictures = files(3)
    image = triton.InferInput("image", [3], "BYTES")
    image.set_data_from_numpy(pictures)
    bias = triton.InferInput("bias", [3, 1], "FP32")
    bias.set_data_from_numpy(biases(3))
    with triton.InferenceServerClient(served.address) as client:
        result = client.infer("pictures", [image, bias], client_timeout=TIMEOUT_S)
        metadata = client.get_model_metadata("pictures", as_json=True)
        config = client.get_model_config("pictures", as_json=True)["config"]
    answer = {name: result.as_numpy(name) for name in ("scores", "shifted")}
    check(answer, folder, pictures, biases(3))
    described = [(each["name"], each["datatype"], each["shape"]) for each in metadata["inputs"]]
    assert described == [("image", "BYTES", ["-1"]), ("bias", "FP32", ["-1", "1"])]
    assert [each["name"] for each in metadata["outputs"]] == ["scores", "shifted"]
    assert [(each["name"], each["data_type"]) for each in config["input"]] == [
        ("image", "TYPE_STRING"),
        ("bias", "TYPE_FP32"),
    ]


def test_allow_raw_the_models_own_inputs_are_taken(ask: Any, folder: Path) -> None:
    pictures = files(2)
    inputs = {"pixel_values": pixels_of(pictures), "bias": biases(2)}
    for order in (inputs, dict(reversed(inputs.items()))):
        check(infer.arrays_of(ask("pictures", order)), folder, pictures, biases(2))


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (
            "strict",
            {"pixel_values": np.zeros((1, 3, SIDE, SIDE), np.float32), "bias": biases(1)},
            "input 'pixel_values': the model has no such input; it takes 'image', 'bias'",
        ),
        (
            "pictures",
            {"pixel_values": np.zeros((1, 3, SIDE, SIDE), np.float32), "image": files(1)},
            "input 'image': the model has no such input; it takes 'pixel_values', 'bias'",
        ),
        ("pictures", {"bias": biases(1)}, "input 'image' is missing; the model takes 'image'"),
        (
            "pictures",
            {"image": files(2), "bias": biases(3)},
            "input 'bias': 3 rows, input 'image' has 2",
        ),
        (
            "pictures",
            {"image": np.array([*files(2), b"GIF89a"], object), "bias": biases(3)},
            "input 'image': row 2: neither a JPEG nor a PNG",
        ),
        (
            "pictures",
            {"image": np.array([files(1)[0][:-40]], object), "bias": biases(1)},
            "input 'image': row 0: ",
        ),
    ],
)
def test_request_that_does_not_fit_is_refused_with_its_reason(
    ask: Any, model: str, inputs: Any, message: str
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        ask(model, inputs)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details().startswith(message)


def bombs() -> list[bytes]:
    file = encoded(picture(64, 64), "JPEG", progressive=True)
    first = file.index(b"\xff\xda")
    second = file.index(b"\xff\xda", first + 2)
    return [
        SIGNATURE + header(50_000, 50_000) + chunk(b"IDAT", bytes(1 << 20)) + chunk(b"IEND"),
        file[:first] + file[first:second] * 80_000 + file[second:],
        file[: len(file) // 2],
        b"",
    ]


@pytest.mark.parametrize("bomb", bombs(), ids=["pixels", "scans", "truncated", "empty"])
def test_broken_picture_amid_a_batch_fails_alone(
    gathered: grpc.Channel, folder: Path, bomb: bytes
) -> None:
    stub = protos.unary_stub(gathered, "ModelInfer")
    pictures = files(8, seed=40)
    broken = 3
    calls = []
    for i in range(8):
        file = pictures[i : i + 1].copy()
        if i == broken:
            file[0] = bomb
        inputs = {"image": file, "bias": biases(8)[i : i + 1]}
        calls.append(stub.future(infer.make_request("gathered", inputs), timeout=TIMEOUT_S))
    for i, call in enumerate(calls):
        if i == broken:
            assert call.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert call.details().startswith("input 'image': row 0: ")
        else:
            response = call.result()
            row = slice(i, i + 1)
            check(infer.arrays_of(response), folder, pictures[row], biases(8)[row])
            assert response.parameters["penstock_batch_size"].int64_param == 7


def test_raw_and_pictures_do_not_share_a_batch(channel: grpc.Channel, folder: Path) -> None:
    stub = protos.unary_stub(channel, "ModelInfer")
    pictures = files(16, seed=70)
    pixels = pixels_of(pictures)
    calls = []
    for i in range(16):
        row = slice(i, i + 1)
        inputs = {"pixel_values": pixels[row]} if i % 2 else {"image": pictures[row]}
        inputs["bias"] = biases(16)[row]
        calls.append(stub.future(infer.make_request("mixed", inputs), timeout=TIMEOUT_S))
    for i, call in enumerate(calls):
        row = slice(i, i + 1)
        check(infer.arrays_of(call.result()), folder, pictures[row], biases(16)[row])


def test_rows_that_would_become_too_much_are_refused(ask: Any) -> None:
    """Some bytes each, and three kilobytes once decoded."""
    tiny = encoded(picture(1, 1), "PNG")
    rows = 30_000
    inputs = {"image": np.array([tiny] * rows, object), "bias": biases(rows)}
    with pytest.raises(grpc.RpcError) as raised:
        ask("pictures", inputs)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details().startswith(
        f"the request has 30000 rows, model 'pictures' takes at most "
        f"{(64 << 20) // (3 * SIDE * SIDE * 4)}: what its preprocessing makes"
    )


def test_prepare_is_a_stage_of_its_own(ask: Any, served: Any) -> None:
    for _ in range(3):
        ask("strict", {"image": files(1), "bias": biases(1)})
    samples = scrape(served.http_address)

    def stage(part: str, name: str) -> float:
        labels = {"model": "strict", "version": "1", "stage": name}
        return samples[f"penstock_model_stage_seconds_{part}", frozenset(labels.items())]

    counts = [stage("count", name) for name in ("decode", "queue", "prepare", "run", "respond")]
    assert len(set(counts)) == 1
    assert counts[0] >= 3
    assert stage("sum", "prepare") > 0


def test_penstock_models_shows_the_pipeline(served: Any, folder: Path) -> None:
    line = "image -> decode_image, resize, normalize, to_tensor -> pixel_values"
    for target in (served.address, str(folder / "pictures.onnx")):
        finished = subprocess.run(
            [sys.executable, "-m", "penstock", "models", target, "--model", "pictures", "--json"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        (listing,) = json.loads(finished.stdout)["models"]
        assert [each["name"] for each in listing["inputs"]] == ["image", "bias"]
        assert listing["preprocessing"] == [line]
        assert [each["name"] for each in listing["raw_inputs"]] == ["pixel_values", "bias"]
        assert listing["execution"] == "pool"
        assert listing["execution_reason"].startswith("what stands before or behind the model")


def test_engine_takes_the_same(folder: Path) -> None:
    pictures = files(3)
    with Engine(folder / "pictures.onnx") as engine:
        answer = engine.infer("pictures", {"image": list(pictures), "bias": biases(3)})
        check(answer, folder, pictures, biases(3))
        raw = engine.infer("pictures", {"pixel_values": pixels_of(pictures), "bias": biases(3)})
        check(raw, folder, pictures, biases(3))
        with pytest.raises(InvalidRequestError, match="'image': row 0: neither a JPEG nor a PNG"):
            engine.infer("pictures", {"image": [b"x"], "bias": biases(1)})


def changed(key: str, value: Any) -> dict[str, Any]:
    """The chain with another step, or another name."""
    chain = copy.deepcopy(CHAIN)
    if key in chain:
        chain[key] = value
    else:
        (step,) = (step for step in chain["steps"] if key in step)
        step[key] = value
    return chain


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"preprocessing": [changed("resize", {"width": 8, "height": 16})]},
            (
                "model 'pictures': preprocessing[0].steps[3].to_tensor: makes FP32 [-1,3,16,8], "
                "input 'pixel_values' of the model takes FP32 [-1,3,16,16]"
            ),
        ),
        (
            {"preprocessing": [changed("to_tensor", {"datatype": "FP16"})]},
            "preprocessing[0].steps[3].to_tensor: makes FP16 [-1,3,16,16], input 'pixel_values'",
        ),
        (
            {"preprocessing": [changed("to", "pixels")]},
            "preprocessing[0].to: the model has no input 'pixels'; it takes 'pixel_values', 'bias'",
        ),
        (
            {"preprocessing": [changed("from", ["a", "b"])]},
            "preprocessing[0].from: names 2 tensors, the first step takes 1",
        ),
        (
            {"preprocessing": [CHAIN, CHAIN]},
            "preprocessing[1].to: input 'pixel_values' is made by preprocessing[0], too",
        ),
        (
            {"preprocessing": [changed("from", "bias")]},
            "preprocessing[0].from: takes 'bias' as BYTES [-1], and the model has an input of that",
        ),
        (
            {"preprocessing": [changed("resize", {"width": 8, "height": 8, "filter": "sharp"})]},
            "pictures.yaml: preprocessing[0].steps[1].resize.filter: Input should be",
        ),
        (
            {"preprocessing": [changed("to_tensor", {"shape": [7]})]},
            "pictures.yaml: preprocessing[0].steps[3].to_tensor: shape [7] holds another number",
        ),
        ({"preprocessing": 3}, "pictures.yaml: preprocessing: expected a list of chains"),
        ({"allow_raw": True}, "pictures.yaml: allow_raw: there is no preprocessing"),
    ],
)
def test_declaration_that_does_not_fit_is_refused_at_start(
    run_serve: Any, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    run_serve(save_picture_model(tmp_path, **settings), says=[message])


def test_digit_example_sees_what_its_pictures_show(start_server: Any) -> None:
    example = Path(__file__).resolve().parents[2] / "examples/digits"
    server = start_server(example / "digit_pictures.onnx")
    for name, digit in (("seven", 7), ("two", 2)):
        finished = subprocess.run(
            [
                *(sys.executable, example / "send_picture.py", example / f"{name}.png"),
                *("--address", server.address),
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert finished.stdout.startswith(f"the model sees a {digit} (probability ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.png"], "nowhere.png: No such file or directory\n"),
        (["--address", "127.0.0.1:1"], "127.0.0.1:1: "),
    ],
)
def test_picture_sender_says_in_one_line_what_is_missing(arguments: list[str], says: str) -> None:
    sender = Path(__file__).resolve().parents[2] / "examples/digits/send_picture.py"
    finished = subprocess.run(
        [sys.executable, sender, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.startswith(says)
    assert finished.stderr.count("\n") == 1
