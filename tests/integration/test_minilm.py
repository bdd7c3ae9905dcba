"""examples/minilm as its page says: built from the real weights, served, asked.

Needs the network the first time (83 MB).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from penstock.preprocess import Pipeline
from support import infer, protos

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/minilm"
EXPECTED = json.loads((EXAMPLE / "expected.json").read_text(encoding="utf-8"))
COSINE_MIN = 0.9999
TIMEOUT_S = 60.0
BUILD_TIMEOUT_S = 600.0


@pytest.fixture(scope="module")
def models() -> Path:
    # Without the flags of a make that runs the tests.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    subprocess.run(
        ["make", f"PYTHON={sys.executable}"],
        cwd=EXAMPLE,
        env=environment,
        timeout=BUILD_TIMEOUT_S,
        check=True,
    )
    return EXAMPLE / "models"


@pytest.fixture(scope="module")
def server(start_shared_server: Any, models: Path) -> Any:
    return start_shared_server(models)


def test_ids_are_those_of_the_original(models: Path) -> None:
    declared = yaml.safe_load((models / "minilm/model.yaml").read_text(encoding="utf-8"))
    pipeline = Pipeline(declared["preprocessing"], folder=models / "minilm")
    for entry in EXPECTED:
        made = pipeline({"text": np.array([entry["text"].encode()], object)})
        assert made["input_ids"].tolist() == [entry["input_ids"]]


def test_embeddings_are_those_of_the_original(server: Any, connect: Any) -> None:
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    texts = np.array([entry["text"].encode() for entry in EXPECTED], object)
    wanted = np.array([entry["embedding"] for entry in EXPECTED])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    together = stub(infer.make_request("minilm", {"text": texts}), timeout=TIMEOUT_S)
    futures = [
        stub.future(infer.make_request("minilm", {"text": texts[i : i + 1]}), timeout=TIMEOUT_S)
        for i in range(len(texts))
    ]
    each = [infer.arrays_of(future.result())["embedding"] for future in futures]
    for got in (infer.arrays_of(together)["embedding"], np.concatenate(each)):
        assert got.shape == (len(EXPECTED), 384)
        assert np.allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)
        assert ((got * wanted).sum(axis=1) >= COSINE_MIN).all()


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["sentences", "check"])
def test_sender_runs_as_its_page_says(server: Any, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE / "send.py", "--address", server.address, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("1.00" in done.stdout) or ("1.000000" in done.stdout), done.stdout
