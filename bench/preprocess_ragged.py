"""Texts of 8 to 256 tokens through the server: ragged batches against padding to the longest.

Usage: python -m bench.preprocess_ragged [--rounds 3]

A BERT encoder of 384 wide layers (examples/minilm's graph with random weights) and a masked mean,
served twice by one server: `ragged` with lengths that are free and declared as ragged, `padded`
with 256 tokens a row, which is what a client that pads for its model sends. Each has what suits it
best: the batch that warm-up chooses. Lengths are log-uniform, ids INT64.

The load is open: calls at rising rates, in turn to the one and the other, until 1 of 100 is later
than the SLO or fails. Goodput is the highest rate before that. Every answer is held against ONNX
Runtime's for the text alone. Prints a table; exits with 1 where the target is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from penstock._core import LoadOptions, LoadPayload, LoadResult, LoadRun

from bench import messages as protocol
from bench.overload.mixed import on_core
from bench.server_process import pinned, running

LAYERS, WIDTH, HEADS, VOCABULARY = 2, 384, 12, 1000
SHORTEST, LONGEST = 8, 256
TARGET = 2.0
MESSAGES = 128
SLO_MS = 500.0
# Of what a closed loop reaches; batches are larger where more waits.
STEPS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
IN_FLIGHT = 64
_SEED = 20261121

Arrays = dict[str, NDArray[Any]]


def bert_graph() -> Any:
    """The module beside examples/minilm, which is no package."""
    path = protocol.ROOT / "examples" / "minilm" / "bert_graph.py"
    spec = importlib.util.spec_from_file_location("bert_graph", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def random_weights() -> Arrays:
    random = np.random.default_rng(_SEED)

    def normal(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, 0.05, shape).astype(np.float32)

    weights: Arrays = {
        "embeddings.word_embeddings.weight": normal(VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": normal(LONGEST, WIDTH),
        "embeddings.token_type_embeddings.weight": normal(2, WIDTH),
    }

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = np.ones(WIDTH, np.float32)
        weights[f"{name}.bias"] = np.zeros(WIDTH, np.float32)

    def dense(name: str, outputs: int, inputs: int) -> None:
        weights[f"{name}.weight"] = normal(outputs, inputs)
        weights[f"{name}.bias"] = normal(outputs)

    norm("embeddings.LayerNorm")
    for layer in (f"encoder.layer.{index}" for index in range(LAYERS)):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense(f"{layer}.attention.{part}", WIDTH, WIDTH)
        dense(f"{layer}.intermediate.dense", 4 * WIDTH, WIDTH)
        dense(f"{layer}.output.dense", WIDTH, 4 * WIDTH)
        norm(f"{layer}.attention.output.LayerNorm")
        norm(f"{layer}.output.LayerNorm")
    return weights


def save_models(folder: Path) -> None:
    """ragged.onnx, its settings, and padded.onnx: the same weights, lengths fixed."""
    graph = bert_graph()
    settings = graph.BertSettings(heads=HEADS, layer_norm_epsilon=1e-12)
    model = graph.bert_encoder(random_weights(), settings)
    del model.graph.output[:]
    model.graph.node.extend(
        [
            helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["kept", "pool_last"], ["pool_weights"]),
            helper.make_node("Mul", ["last_hidden_state", "pool_weights"], ["pool_hidden"]),
            helper.make_node("ReduceSum", ["pool_hidden", "pool_along"], ["pool_sum"], keepdims=0),
            helper.make_node("ReduceSum", ["pool_weights", "pool_along"], ["pool_n"], keepdims=0),
            helper.make_node("Div", ["pool_sum", "pool_n"], ["embedding"]),
        ]
    )
    for name, axis in (("pool_last", 2), ("pool_along", 1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([axis]), name))
    model.graph.output.append(
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])
    )
    onnx.save(model, folder / "ragged.onnx")
    (folder / "ragged.yaml").write_text(
        "ragged:\n  - {input: input_ids, mask: attention_mask}\n  - {input: token_type_ids}\n"
    )
    for tensor in model.graph.input:
        tensor.type.tensor_type.shape.dim[1].dim_value = LONGEST
    onnx.save(model, folder / "padded.onnx")


class Texts:
    """The same texts as requests to either model, and what these must answer."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(_SEED)
        lengths = np.exp(random.uniform(np.log(SHORTEST), np.log(LONGEST), MESSAGES))
        self.lengths = np.clip(lengths.round().astype(int), SHORTEST, LONGEST)
        texts = [random.integers(1, VOCABULARY, (1, length)) for length in self.lengths]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(folder / "ragged.onnx"), options)
        answers = [session.run(None, inputs_of(ids, ids.shape[1]))[0] for ids in texts]
        self._messages = protocol.load(protocol.compile_descriptors(folder / "descriptors.bin"))
        self.requests = {
            "ragged": [self._request("ragged", inputs_of(ids, ids.shape[1])) for ids in texts],
            "padded": [self._request("padded", inputs_of(ids, LONGEST)) for ids in texts],
        }
        self.answers = {
            name: [
                protocol.infer_response(
                    self._messages,
                    model=name,
                    version="1",
                    tensor="embedding",
                    shape=answer.shape,
                    raw=answer.tobytes(),
                ).SerializeToString()
                for answer in answers
            ]
            for name in self.requests
        }

    def _request(self, model: str, inputs: Arrays) -> bytes:
        request = self._messages.request(model_name=model)
        for name, value in inputs.items():
            request.inputs.add(name=name, datatype="INT64", shape=value.shape)
            request.raw_input_contents.append(value.tobytes())
        encoded: bytes = request.SerializeToString()
        return encoded


def inputs_of(ids: NDArray[np.int64], length: int) -> Arrays:
    def padded(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.pad(values, ((0, 0), (0, length - values.shape[1])))

    return {
        "input_ids": padded(ids),
        "attention_mask": padded(np.ones_like(ids)),
        "token_type_ids": padded(np.zeros_like(ids)),
    }


class Load:
    """Calls to one server, from one core."""

    def __init__(self, port: int, core: int, texts: Texts) -> None:
        self._port = port
        self._core = core
        self._texts = texts

    def closed(self, model: str, duration_s: float) -> float:
        """Answers a second with IN_FLIGHT calls always open."""
        result = self._run(model, mode="closed", concurrency=IN_FLIGHT, duration_s=duration_s)
        return result.counts.ok / result.duration_s

    def holds(self, model: str, rate: float, duration_s: float, seed: int) -> bool:
        """Whether 99 of 100 calls at this rate are answered within the SLO."""
        result = self._run(model, mode="open", segments=[(duration_s, rate, rate)], seed=seed)
        p99_ms = result.latency.percentile_us(99) / 1e3
        share = result.counts.ok / max(result.counts.offered, 1)
        print(f"{model}: {rate:.1f}/s, p99 {p99_ms:.0f} ms, {share:.4f} answered", flush=True)
        return share >= 0.99 and p99_ms <= SLO_MS

    def _run(self, model: str, **shape: Any) -> LoadResult:
        payload = LoadPayload(
            path=protocol.INFER_PATH,
            messages=self._texts.requests[model],
            expected=self._texts.answers[model],
        )
        options = LoadOptions(
            payloads=[payload], port=self._port, connections=4, warmup_s=0.5, **shape
        )
        with on_core(self._core):
            run = LoadRun.create(options)
            run.start()
            while not run.wait(1.0):
                pass
        result = run.result()
        if result.end != "finished" or result.counts.wrong:
            raise RuntimeError(f"the run ended: {result.failure or result.examples}")
        return result


def goodput(load: Load, model: str, duration_s: float, seed: int) -> float:
    speed = load.closed(model, duration_s)
    best = 0.0
    for step in STEPS:
        # The machine may be shared: one late second is no verdict.
        if not any(load.holds(model, step * speed, duration_s, seed + i) for i in (0, 100)):
            break
        best = step * speed
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration-s", type=float, default=3.0)
    arguments = parser.parse_args()
    server_core, client_core = sorted(os.sched_getaffinity(0))[:2]
    found: dict[str, list[float]] = {"ragged": [], "padded": []}
    with tempfile.TemporaryDirectory() as out:
        folder = Path(out)
        save_models(folder)
        texts = Texts(folder)
        command = [sys.executable, "-m", "penstock", "serve"]
        command += [str(folder / f"{name}.onnx") for name in found]
        command += ["--grpc-port", "0", "--no-http"]
        with running(
            pinned(command, server_core), environment={}, working_directory=protocol.ROOT
        ) as server:
            print(server.log.read_text(), flush=True)
            load = Load(server.port, client_core, texts)
            for round_ in range(arguments.rounds):
                for name, values in found.items():
                    values.append(goodput(load, name, arguments.duration_s, round_ + 1))
    ratios = [a / b for a, b in zip(found["ragged"], found["padded"], strict=True)]
    ratio = statistics.median(ratios)
    print(f"\n{MESSAGES} texts of {SHORTEST} to {LONGEST} tokens, mean {texts.lengths.mean():.0f}")
    for name, values in found.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name}: {statistics.median(values):.1f}/s ({spread}) at p99 <= {SLO_MS:.0f} ms")
    verdict = "pass" if ratio >= TARGET else "MISSED"
    print(
        f"ragged against padded: {ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"target >= {TARGET:.0f}x: {verdict}"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
