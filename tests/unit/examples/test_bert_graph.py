"""examples/minilm/bert_graph.py against BERT's equations in NumPy, with small random weights.

That the real weights give the real embeddings is tests/integration/test_minilm.py's matter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnxruntime
import pytest
from bert_graph import BertSettings, bert_encoder
from numpy.typing import NDArray

SEED = 20261121
WORDS, POSITIONS, TYPES = 50, 16, 2
WIDTH, HEADS, WIDE, LAYERS = 24, 3, 40, 2
EPSILON = 1e-3  # large enough to be seen

Weights = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def weights() -> Weights:
    rng = np.random.default_rng(SEED)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (WORDS, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (TYPES, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for dense, outputs, inputs in (
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", WIDE, WIDTH),
            ("output.dense", WIDTH, WIDE),
        ):
            shapes[f"{name}.{dense}.weight"] = (outputs, inputs)
            shapes[f"{name}.{dense}.bias"] = (outputs,)
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{name}.{norm}.weight"] = (WIDTH,)
            shapes[f"{name}.{norm}.bias"] = (WIDTH,)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def reference(weights: Weights, ids: list[int], types: list[int]) -> NDArray[Any]:
    """One row without padding, in float64."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}

    def dense(name: str, x: NDArray[Any]) -> NDArray[Any]:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def normalized(name: str, x: NDArray[Any]) -> NDArray[Any]:
        centred = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = normalized(
        "embeddings.LayerNorm",
        w["embeddings.word_embeddings.weight"][ids]
        + w["embeddings.position_embeddings.weight"][: len(ids)]
        + w["embeddings.token_type_embeddings.weight"][types],
    )
    head = WIDTH // HEADS
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            dense(f"{name}.attention.self.{part}", x) for part in ("query", "key", "value")
        )
        attended = np.empty_like(x)
        for at in range(0, WIDTH, head):
            columns = slice(at, at + head)
            scores = np.exp(query[:, columns] @ key[:, columns].T / math.sqrt(head))
            attended[:, columns] = scores / scores.sum(axis=1, keepdims=True) @ value[:, columns]
        x = normalized(
            f"{name}.attention.output.LayerNorm",
            dense(f"{name}.attention.output.dense", attended) + x,
        )
        wide = dense(f"{name}.intermediate.dense", x)
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = normalized(f"{name}.output.LayerNorm", dense(f"{name}.output.dense", wide) + x)
    return x


def test_graph_of_random_weights_computes_bert(weights: Weights) -> None:
    settings = BertSettings(heads=HEADS, layer_norm_epsilon=EPSILON)
    model = bert_encoder(weights, settings)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(SEED)
    lengths = [1, POSITIONS, 5, 2]
    # What stands in the padding must not matter.
    ids = rng.integers(0, WORDS, (len(lengths), POSITIONS))
    types = rng.integers(0, TYPES, ids.shape)
    mask = (np.arange(POSITIONS) < np.array(lengths)[:, None]).astype(np.int64)
    (hidden,) = session.run(
        None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    )
    assert hidden.shape == (len(lengths), POSITIONS, WIDTH)
    for row, length in enumerate(lengths):
        wanted = reference(weights, ids[row, :length].tolist(), types[row, :length].tolist())
        np.testing.assert_allclose(hidden[row, :length], wanted, rtol=1e-3, atol=1e-4)
