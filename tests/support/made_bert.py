"""Small BERTs with random weights, and a repository that serves sentences with one."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from bert_graph import BertSettings, bert_encoder
from numpy.typing import NDArray
from support import texts
from support.made_tokenizers import train_word_piece

__all__ = [
    "EPSILON",
    "HEADS",
    "LAYERS",
    "SENTENCES_YAML",
    "TYPES",
    "WIDTH",
    "Weights",
    "random_weights",
    "write_bert",
]

SEED = 20261121
WIDTH, HEADS, WIDE, LAYERS, TYPES = 24, 3, 40, 2, 2
EPSILON = 1e-3  # large enough to be seen
VOCABULARY = 400

Weights = dict[str, NDArray[Any]]

SENTENCES_YAML = """
    preprocessing:
      - from: text
        to: [input_ids, attention_mask, token_type_ids]
        steps: [{tokenize: {file: tokenizer.json, max_length: 64}}]
"""


def random_weights(words: int, positions: int) -> Weights:
    """Named as HuggingFace's files name them."""
    rng = np.random.default_rng(SEED)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (words, WIDTH),
        "embeddings.position_embeddings.weight": (positions, WIDTH),
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


def write_bert(repository: Path, config: str = SENTENCES_YAML, positions: int = 64) -> Path:
    """repository/bert, with a tokenizer of its own. Returns that folder."""
    folder = repository / "bert"
    (folder / "1").mkdir(parents=True)
    rng = random.Random(SEED)
    train_word_piece(texts.english_lines(400, rng), folder / "tokenizer.json", size=VOCABULARY)
    settings = BertSettings(heads=HEADS, layer_norm_epsilon=EPSILON)
    model = bert_encoder(random_weights(VOCABULARY, positions), settings)
    onnx.save(model, folder / "1" / "model.onnx")
    (folder / "model.yaml").write_text(textwrap.dedent(config), encoding="utf-8")
    return folder
