"""penstock.Engine in this process: answers, errors, threads, asyncio, its end."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from penstock import (
    ConfigError,
    DeadlineError,
    Engine,
    InferError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RepositoryError,
    UnavailableError,
)
from support import infer

WAIT_S = 60.0
SEED = 20261121
# At the deadline, or before where the queue ahead makes it certain.
TOO_LATE = (DeadlineError, OverloadedError)


@pytest.fixture(scope="module")
def engine(test_models: Path) -> Iterator[Engine]:
    names = ["mlp", "two_by_two", "loop", "identity_bf16", "identity_fp32", "free_inner"]
    with Engine([test_models / f"{name}.onnx" for name in names]) as engine:
        yield engine
    assert engine.live_calls() == 0


def rows(count: int, width: int = 64) -> np.ndarray:
    return np.random.default_rng(SEED).uniform(-1, 1, (count, width)).astype(np.float32)


def slow_inputs(steps: int) -> dict[str, np.ndarray]:
    return {"count": np.array(steps, np.int64), "x": np.zeros((1, 4), np.float32)}


def run_to_any_end(engine: Engine) -> None:
    with suppress(InferError):
        engine.infer("loop", slow_inputs(1_000_000))


@pytest.mark.parametrize("count", [1, 3, 200])
def test_infer_rows_agree_with_the_engine(engine: Engine, test_models: Path, count: int) -> None:
    x = rows(count)
    answer = engine.infer("mlp", {"x": x})
    expected = infer.run_reference(test_models / "mlp.onnx", {"x": x})["y"]
    np.testing.assert_allclose(answer["y"], expected, rtol=1e-4, atol=1e-5)
    assert list(answer) == ["y"]


def test_infer_input_is_not_copied_and_output_is_a_read_only_view(engine: Engine) -> None:
    x = rows(2, 3)
    y = engine.infer("identity_fp32", {"x": x})["y"]
    assert not y.flags.writeable
    assert not y.flags.owndata
    assert y.base is not None
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x.astype(">f4"),
        lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view("<f4").reshape(x.shape),
    ],
    ids=["fortran", "strided", "big_endian", "unaligned"],
)
def test_infer_any_layout_is_read_right(engine: Engine, layout: object) -> None:
    x = rows(4, 3)
    np.testing.assert_array_equal(
        engine.infer("identity_fp32", {"x": layout(x)})["y"],  # type: ignore[operator]
        x,
    )


def test_infer_output_outlives_its_engine(test_models: Path) -> None:
    x = rows(1, 3)
    engine = Engine(test_models / "identity_fp32.onnx")
    y = engine.infer("identity_fp32", {"x": x})["y"]
    engine.close()
    del engine
    gc.collect()
    np.testing.assert_array_equal(x, y)


def test_infer_bf16_is_bits_or_ml_dtypes_and_comes_back_as_float32(engine: Engine) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    bits = np.resize(np.arange(2**16, dtype=np.uint16), (21846, 3))
    x = bits.view(ml_dtypes.bfloat16)
    for given in (x, x.view(np.uint16)):
        y = engine.infer("identity_bf16", {"x": given})["y"]
        assert y.dtype == np.float32
        assert not y.flags.writeable
        # Every value there is, NaNs by their bits.
        np.testing.assert_array_equal(y.view(np.uint32) >> 16, x.view(np.uint16))
        assert not (y.view(np.uint32) & 0xFFFF).any()


def test_infer_strings_keep_every_byte(test_models: Path) -> None:
    x = np.array([["", "caf\u00e9", b"\0\xff\n"], [b"b", "c", b"\0"]], dtype=object)
    with Engine(test_models / "identity_bytes.onnx") as engine:
        y = engine.infer("identity_bytes", {"x": x})["y"]
        expected = [[v.encode() if isinstance(v, str) else v for v in row] for row in x.tolist()]
        assert y.tolist() == expected
        with pytest.raises(ValueError, match="input 'x': element 1 is int, bytes or str"):
            engine.infer("identity_bytes", {"x": np.array([["a", 1, "b"]], dtype=object)})


def test_infer_outputs_are_those_asked_for_in_that_order(engine: Engine) -> None:
    report = next(model for model in engine.models if model.name == "two_by_two")
    inputs = {tensor.name: rows(1, tensor.shape[1]) for tensor in report.inputs}
    names = [tensor.name for tensor in report.outputs]
    everything = engine.infer("two_by_two", inputs)
    turned = engine.infer("two_by_two", inputs, outputs=names[::-1])
    assert list(everything) == names
    assert list(turned) == names[::-1]
    for name in names:
        np.testing.assert_array_equal(everything[name], turned[name])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("nothing", {"x": rows(1)}), NotFoundError, "'nothing' is not served"),
        (("mlp", {}), InvalidRequestError, "input 'x' is missing"),
        (("mlp", {"z": rows(1)}), InvalidRequestError, "input 'z': the model has no such input"),
        (("mlp", {"x": rows(1, 63)}), InvalidRequestError, r"shape \[1,63\], the model takes"),
        (("mlp", {"x": rows(1).astype(float)}), InvalidRequestError, "datatype 'FP64'"),
        (("mlp", {"x": rows(0)}), InvalidRequestError, "no rows"),
        (("mlp", {"x": np.zeros((1,) * 9)}), InvalidRequestError, "9 dimensions"),
        (("mlp", {"x": rows(1)}, ["q"]), InvalidRequestError, "output 'q'"),
        (("mlp", {"x": np.zeros((1, 64), complex)}), TypeError, "complex128"),
        (("mlp", {1: rows(1)}), TypeError, "name must be a str"),
        ((1, {"x": rows(1)}), TypeError, "model must be a str"),
        (("mlp", 5), ValueError, "input 'x': a column of values is needed, not int"),
        (("two_by_two", rows(1, 4)), ValueError, "2 inputs .* which ndarray does not name"),
        (("nothing", 5), NotFoundError, "'nothing' is not served"),
        (("mlp", {"x": rows(1)}, "y"), TypeError, "not one str"),
        (("mlp",), TypeError, "model and inputs"),
        (("mlp", {"x": rows(1)}, None, 1.0), TypeError, "at most 3"),
    ],
)
def test_infer_wrong_arguments_say_what_is_wrong(
    engine: Engine, arguments: tuple[object, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        engine.infer(*arguments)  # type: ignore[arg-type]
    assert engine.live_calls() == 0


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_infer_timeout_that_is_none_is_refused(engine: Engine, timeout: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        engine.infer("mlp", {"x": rows(1)}, timeout=timeout)


def test_infer_keywords_are_taken_by_name(engine: Engine) -> None:
    answer = engine.infer(inputs={"x": rows(1)}, model="mlp", version="1", timeout=WAIT_S)
    assert answer["y"].shape[0] == 1
    with pytest.raises(NotFoundError, match="no version '7'"):
        engine.infer("mlp", {"x": rows(1)}, version="7")
    with pytest.raises(TypeError, match="unexpected argument 'deadline'"):
        engine.infer("mlp", {"x": rows(1)}, deadline=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["mlp", "free_inner"])
def test_infer_many_threads_get_their_own_answers(
    engine: Engine, test_models: Path, name: str
) -> None:
    shape = (64,) if name == "mlp" else (7, 2)
    random = np.random.default_rng(SEED)
    inputs = [
        random.uniform(-1, 1, (1 + index % 3, *shape)).astype(np.float32) for index in range(24)
    ]
    model = test_models / f"{name}.onnx"
    expected = [infer.run_reference(model, {"x": x})["y"] for x in inputs]

    def ask(index: int) -> np.ndarray:
        return engine.infer(name, {"x": inputs[index % 24]})["y"]

    with ThreadPoolExecutor(8) as pool:
        for index, answer in enumerate(pool.map(ask, range(960))):
            np.testing.assert_allclose(answer, expected[index % 24], rtol=1e-4, atol=1e-5)


def test_infer_while_the_model_runs_other_threads_go_on(engine: Engine) -> None:
    ended = threading.Event()

    def run() -> None:
        engine.infer("loop", slow_inputs(100_000))
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    seen = 0
    while not ended.is_set():
        engine.infer("mlp", {"x": rows(1)})
        seen += 1
    thread.join()
    assert seen > 1


def test_infer_waiting_past_its_timeout_is_not_run(test_models: Path) -> None:
    with Engine(test_models / "loop.onnx", compute_threads=1, instance_count=1) as engine:
        started = threading.Thread(target=run_to_any_end, args=(engine,))
        started.start()
        refused = None
        while refused is None:  # until the slow call has the only instance
            assert started.is_alive()
            try:
                engine.infer("loop", slow_inputs(1), timeout=0.001)
            except TOO_LATE as error:
                refused = error
        engine.close(0)
        started.join()


def test_infer_async_many_tasks_share_batches(engine: Engine, test_models: Path) -> None:
    inputs = [rows(1 + index % 3, 64) for index in range(50)]
    expected = infer.run_reference(test_models / "mlp.onnx", {"x": inputs[2]})["y"]

    async def ask() -> None:
        answers = await asyncio.gather(
            *(engine.infer_async("mlp", {"x": x}) for x in inputs),
            *(engine.infer_async("free_inner", {"x": np.ones((1, 7, 2), "f4")}) for _ in inputs),
        )
        for x, answer in zip(inputs, answers, strict=False):
            np.testing.assert_allclose(answer["y"], expected[: len(x)], rtol=1e-4, atol=1e-5)

    asyncio.run(ask())


def test_infer_async_errors_are_raised_where_awaited(engine: Engine) -> None:
    async def ask() -> None:
        with pytest.raises(NotFoundError):
            await engine.infer_async("nothing", {})
        with pytest.raises(TOO_LATE):
            await engine.infer_async("loop", slow_inputs(300_000), timeout=0.001)
        task = asyncio.create_task(engine.infer_async("loop", slow_inputs(100_000)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())


def test_close_with_calls_under_way_fails_what_waits(test_models: Path) -> None:
    engine = Engine(test_models / "loop.onnx", compute_threads=1, instance_count=1)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            engine.infer("loop", slow_inputs(2_000_000))
            outcomes.append("ok")
        except Exception as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while engine.live_calls() < 4:
        pass
    assert engine.close(0) is False
    for thread in threads:
        thread.join(WAIT_S)
    assert len(outcomes) == 4
    assert "ok" not in outcomes
    assert outcomes.count("UnavailableError") >= 1
    with pytest.raises(UnavailableError, match="closed"):
        engine.infer("loop", slow_inputs(1))
    assert engine.close() is True


def test_engine_nobody_closes_ends_with_its_last_reference(test_models: Path) -> None:
    engine = Engine(test_models / "loop.onnx")
    asyncio.run(engine.infer_async("loop", slow_inputs(10)))
    dispatcher = engine._dispatcher
    assert dispatcher is not None
    del engine
    gc.collect()
    dispatcher.join(WAIT_S)
    assert not dispatcher.is_alive()


def _use_in_child(engine: Engine, queue: multiprocessing.SimpleQueue[str]) -> None:
    try:
        engine.infer("mlp", {"x": rows(1)})
        queue.put("answered")
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_engine_in_a_forked_child_raises(engine: Engine) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_use_in_child, args=(engine, queue))
    child.start()
    child.join(WAIT_S)
    assert child.exitcode == 0
    assert "belongs to the process that forked" in queue.get()
    assert engine.infer("mlp", {"x": rows(1)})


def test_engine_wrong_settings_and_paths_are_named(test_models: Path, tmp_path: Path) -> None:
    model = test_models / "mlp.onnx"
    with pytest.raises(ConfigError, match="max_batch: unknown setting"):
        Engine(model, max_batch=3)
    with pytest.raises(ConfigError, match="max_batch_size"):
        Engine(model, max_batch_size=-1)
    with pytest.raises(RepositoryError, match="no such file"):
        Engine(tmp_path / "none.onnx")


def test_engine_models_report_inputs_and_batching(engine: Engine) -> None:
    report = next(model for model in engine.models if model.name == "mlp")
    assert [(t.name, t.datatype, t.shape) for t in report.inputs] == [("x", "FP32", [-1, 64])]
    assert report.batchable
