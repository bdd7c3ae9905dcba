"""examples/minilm/bert_graph.py against BERT's equations in NumPy, with small random weights.

That the real weights give the real embeddings is tests/integration/test_minilm.py's matter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnxruntime
from bert_graph import BertSettings, bert_encoder
from numpy.typing import NDArray
from support.made_bert import EPSILON, HEADS, LAYERS, TYPES, WIDTH, Weights, random_weights

SEED = 20261121
WORDS, POSITIONS = 50, 16


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


def test_graph_of_random_weights_computes_bert() -> None:
    weights = random_weights(WORDS, POSITIONS)
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
